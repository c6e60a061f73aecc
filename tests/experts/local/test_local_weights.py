"""Where a local model comes from."""

from pathlib import Path

import pytest

from orchestrator.experts.local import weights
from orchestrator.experts.local.model import LoadedModel
from orchestrator.experts.local.weights import prepare, source_of
from routers.errors import WeightsError

ALIAS = "smollm2-135m"


def test_packaged_model_is_converted_once_and_then_only_found(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's name has the hash of what it was made from."""
    monkeypatch.delattr(weights, "_convert")
    assert prepare(ALIAS, cache) == folder == cache / "models" / "smollm2-135m-b179c9523d0e"
    assert source_of(ALIAS, folder=Path("/elsewhere"), cache=cache) == str(folder)


def test_process_that_comes_second_takes_the_folder_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both convert, one folder is published, as a whole, and nothing is left over."""
    made: list[Path] = []

    def convert(_: Path, folder: Path) -> None:
        made.append(folder)
        if len(made) == 1:
            prepare(ALIAS, tmp_path)
        (folder / "config.json").write_text(f"{len(made)}")

    monkeypatch.setattr(weights, "_convert", convert)
    target = prepare(ALIAS, tmp_path)
    assert len(made) == 2
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert (target / "config.json").read_text() == "2"


def test_conversion_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next start tries again."""

    def convert(_: Path, folder: Path) -> None:
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "_convert", convert)
    with pytest.raises(OSError, match="No space left"):
        prepare(ALIAS, tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


def test_alias_that_is_not_packaged_is_refused(tmp_path: Path) -> None:
    """With the names that are."""
    with pytest.raises(WeightsError, match="smollm2-135m"):
        prepare("gpt-17", tmp_path)


def test_other_names_are_a_folder_of_the_configuration_or_a_hub_id(tmp_path: Path) -> None:
    """Relative paths start where the configuration lies."""
    (tmp_path / "mine").mkdir()
    assert source_of("mine", folder=tmp_path, cache=tmp_path) == str(tmp_path / "mine")
    assert source_of(str(tmp_path / "mine"), folder=Path("/x"), cache=tmp_path) == str(tmp_path / "mine")
    assert source_of("owner/name", folder=tmp_path, cache=tmp_path) == "owner/name"


def test_loading_prints_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stderr belongs to the service's log; that nothing warns, the test run's settings prove."""
    model = LoadedModel(str(folder))
    assert model.context == 8192
    assert capfd.readouterr() == ("", "")
