"""Generating and scoring with the real model, against plain computations of the same."""

import pytest
import torch

from orchestrator.experts.local.generation import Generation, Sampler
from orchestrator.experts.local.model import PIECE_TOKENS, LoadedModel
from orchestrator.experts.local.scoring import Scoring
from orchestrator.types import Usage

GREEDY = Sampler(temperature=0)
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
LONG_QUESTION = [{"role": "user", "content": "Which of these rhyme? " + "cat hat dog log " * 16}]


def whole(generation: Generation) -> str:
    """The text once a generation is over."""
    text = ""
    while generation.finish_reason is None:
        text += generation.step()
    return text


def logits_of(model: LoadedModel, tokens: list[int]) -> torch.Tensor:
    """Logits of all tokens in one pass: no cache, no pieces."""
    with torch.inference_mode():
        logits: torch.Tensor = model._model(torch.tensor([tokens]), use_cache=False).logits[0]
    return logits


@pytest.mark.parametrize("messages", [QUESTION, LONG_QUESTION])
def test_greedy_generation_is_what_the_model_finds_likeliest(
    model: LoadedModel, messages: list[dict[str, str]]
) -> None:
    """Against a loop without cache that reads everything anew for each token, prompts of one and of many pieces."""
    prompt = model.prompt(messages)
    tokens: list[int] = []
    while len(tokens) < 3 and not (tokens and tokens[-1] in model.ends):
        tokens.append(int(logits_of(model, prompt + tokens)[-1].argmax()))
    generation = Generation(model, prompt, sampler=GREEDY, limit=3)
    assert whole(generation) == model.text(tokens)
    assert generation.usage == Usage(input_tokens=len(prompt), output_tokens=len(tokens))


def test_generation_ends_with_the_model_or_at_the_limit(model: LoadedModel) -> None:
    """The token that ends the answer is counted and not shown."""
    prompt = model.prompt(QUESTION)
    ended = Generation(model, prompt, sampler=GREEDY, limit=50)
    cut = Generation(model, prompt, sampler=GREEDY, limit=3)
    assert (whole(ended), ended.finish_reason) == ("The capital of France is Paris.", "stop")
    assert ended.usage.output_tokens == len(model.tokens("The capital of France is Paris.")) + 1
    assert (whole(cut), cut.finish_reason) == ("The capital of", "length")


def test_stop_text_within_and_across_tokens_ends_the_answer(model: LoadedModel) -> None:
    """It is not part of the answer, and nothing after it is generated."""
    prompt = model.prompt(QUESTION)
    generation = Generation(model, prompt, sampler=GREEDY, limit=50, stops=("never said", "of Fr"))
    assert (whole(generation), generation.finish_reason) == ("The capital ", "stop")
    assert generation.usage.output_tokens == len(model.tokens("The capital of France"))


def test_score_is_the_log_probability_of_each_token_of_the_answer(model: LoadedModel) -> None:
    """Against one pass over the whole conversation as the chat template writes it, answer included."""
    answer = "Cat and hat rhyme, and so do dog and log. " * 6
    prompt, tokens = model.prompt(LONG_QUESTION), model.tokens(answer)
    conversation = [*LONG_QUESTION, {"role": "assistant", "content": answer}]
    text = model._tokenizer.apply_chat_template(conversation, tokenize=False)
    everything = model.tokens(text)
    assert everything[: len(prompt) + len(tokens)] == prompt + tokens
    logprobs = torch.log_softmax(logits_of(model, everything).double(), dim=-1)
    expected = [float(logprobs[len(prompt) + place - 1, token]) for place, token in enumerate(tokens)]
    scoring = Scoring(model, prompt, [tokens])
    while not scoring.over:
        scoring.step()
    (result,) = scoring.results
    assert min(len(prompt), len(tokens)) > PIECE_TOKENS
    assert result.logprobs == pytest.approx(expected, abs=1e-4)
    assert "".join(result.tokens) == answer


def test_answers_that_are_scored_together_score_as_they_would_alone(model: LoadedModel) -> None:
    """Each follows the prompt, whatever was read before it; the prompt is counted once."""
    prompt = model.prompt(QUESTION)
    answers = [model.tokens(text) for text in ("The capital of France is Paris.", "", "Paris", "Lyon, or so. " * 20)]
    together, alone = Scoring(model, prompt, answers), [Scoring(model, prompt, [answer]) for answer in answers]
    for scoring in (together, *alone):
        while not scoring.over:
            scoring.step()
    expected = [scoring.results[0].logprobs for scoring in alone]
    assert [result.logprobs for result in together.results] == [pytest.approx(row, abs=1e-5) for row in expected]
    read = [result.usage.input_tokens for result in together.results]
    assert read == [len(prompt) + len(answers[0]), *map(len, answers[1:])]


def test_empty_answer_needs_no_step_to_be_scored(model: LoadedModel) -> None:
    """Nothing is certain to be said of nothing."""
    scoring = Scoring(model, model.prompt(QUESTION), [[]])
    assert (scoring.over, scoring.results[0].logprobs, scoring.results[0].nll) == (True, (), 0.0)


def test_sampler_takes_the_likeliest_token_at_and_near_temperature_zero() -> None:
    """Near zero must not overflow."""
    logits = torch.tensor([1.0, 300.0, 299.0])
    assert [Sampler(temperature=heat).pick(logits) for heat in (0.0, 1e-300, 1e-12, 9e-5)] == [1] * 4


def test_sampler_with_the_same_seed_chooses_the_same() -> None:
    """Any integer is a seed."""
    logits = torch.zeros(1000)
    for seed in (7, -1, 2**80):
        one, two = (Sampler(temperature=1, seed=seed) for _ in range(2))
        assert [one.pick(logits) for _ in range(20)] == [two.pick(logits) for _ in range(20)]


def test_sampler_chooses_from_the_smallest_set_that_holds_top_p() -> None:
    """Specified (Holtzman et al. 2020): the token that crosses the share is in, the next is out."""
    logits = torch.tensor([0.05, 0.5, 0.15, 0.3]).log()
    sampler = Sampler(temperature=1, top_p=0.7, seed=3)
    assert {sampler.pick(logits) for _ in range(200)} == {1, 3}


def test_sampler_follows_the_probabilities_of_the_temperature() -> None:
    """Frequencies of a thousand draws, three standard deviations apart at most."""
    logits = torch.tensor([0.0, 1.0])
    sampler = Sampler(temperature=2.0, seed=11)
    share = sum(sampler.pick(logits) for _ in range(1000)) / 1000
    assert share == pytest.approx(torch.sigmoid(torch.tensor(0.5)).item(), abs=0.047)


def test_repetition_penalty_divides_what_was_said_and_leaves_the_rest() -> None:
    """Specified (Keskar et al. 2019): positive logits are divided, negative ones multiplied; 1 changes nothing."""
    logits = torch.tensor([2.0, 1.9, -1.0])
    assert Sampler(temperature=0).pick(logits, {0}) == 0
    assert Sampler(temperature=0, repetition_penalty=1.2).pick(logits, {0}) == 1
    assert Sampler(temperature=0, repetition_penalty=2.0).pick(torch.tensor([-1.0, -1.5]), {0}) == 1
    assert logits.tolist() == pytest.approx([2.0, 1.9, -1.0])


def test_repetition_penalty_ends_a_loop(model: LoadedModel) -> None:
    """The same prompt: without it the answer says the same line again and again, with it it does not."""
    prompt = model.prompt([{"role": "user", "content": "Say no, and no, and no, and no."}])
    plain = whole(Generation(model, prompt, sampler=GREEDY, limit=40))
    varied = whole(Generation(model, prompt, sampler=Sampler(temperature=0, repetition_penalty=1.3), limit=40))
    assert len(set(varied.split())) / len(varied.split()) > len(set(plain.split())) / len(plain.split())
