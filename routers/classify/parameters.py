"""Do parameters of a configuration fit a kind of classifier? Its own signature says what it takes."""

import inspect
import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from routers.classify.kinds import ClassifierKind, classifier_kind
from routers.embedding.protocol import Embedder
from routers.errors import TrainingError

__all__ = ["check_parameters", "configured"]


def configured(name: str, parameters: Mapping[str, Any], embedder: Embedder) -> ClassifierKind:
    """The kind of that name with its parameters bound, once it has been built with them.

    Raises:
        TrainingError: parameters that it does not take, one line each.
        UnknownClassifier: no such kind.
    """
    check_parameters(name, parameters)
    kind = partial(classifier_kind(name), **parameters)
    try:
        kind(embedder)
    except (TypeError, ValueError) as error:
        raise TrainingError([f"classifier {name!r}: {error}"]) from error
    return kind


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise unless the kind of that name takes the parameters, by their names and by the types that it states.

    Raises:
        TrainingError: a name that it does not know or lacks, or a value of another type or range, one line each.
        UnknownClassifier: no such kind.
    """
    signature = inspect.signature(classifier_kind(name), eval_str=True)
    known = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    problems = [
        f"classifier {name!r} needs the parameter {key!r}"
        for key in known
        if key not in parameters and signature.parameters[key].default is inspect.Parameter.empty
    ]
    for key, value in parameters.items():
        if key in known:
            problems += _refused(f"classifier {name!r}: parameter {key!r}", value, known[key])
        elif not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            problems.append(f"classifier {name!r} has no parameter {key!r}{_choices(key, list(known))}")
    if problems:
        raise TrainingError(problems)


def _refused(what: str, value: object, annotation: Any) -> list[str]:
    if annotation is inspect.Parameter.empty:
        return []
    try:
        TypeAdapter(annotation).validate_json(json.dumps(value, allow_nan=False), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part!r}]" for part in first["loc"])
        reason = first["msg"][0].lower() + first["msg"][1:]
        return [f"{what}{place and f' at {place}'}: {reason}, found {json.dumps(value)[:80]}"]
    except (TypeError, ValueError) as error:
        return [f"{what} is not JSON ({error})"]
    return []


def _choices(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; known: {', '.join(sorted(known)) or 'none'}" + (f"; did you mean {near[0]!r}?" if near else "")
