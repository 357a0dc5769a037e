from pathlib import Path

import pytest
from pydantic import ValidationError

from scenarios.settings import ExistingFile, ExistingFolder, Settings, number_text


class Places(Settings):
    file: ExistingFile | None = None
    folder: ExistingFolder | None = None


@pytest.fixture
def place(tmp_path):
    """Check settings that lie in a folder with the folder `images` and the file `images.npz`."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images.npz").touch()
    return lambda **given: Places.model_validate(given, context={"folder": tmp_path})


def test_paths_are_relative_to_the_scenarios_folder(place, tmp_path):
    assert place(file="images.npz").file == (tmp_path / "images.npz").resolve()
    assert (
        place(folder="images").folder
        == place(folder="images/../images/").folder
        == (tmp_path / "images").resolve()
    )
    assert place(folder=str(tmp_path)).folder == tmp_path.resolve()


def test_paths_are_relative_to_the_current_folder_without_a_scenario():
    assert Places(folder=Path()).folder == Path.cwd()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folder": "lost"}, "no such folder: {}/lost"),
        ({"folder": "images.npz"}, "a file, not a folder: {}/images.npz"),
        ({"folder": "images.npz/a"}, "no such folder: {}/images.npz/a"),
        ({"folder": "a" * 300}, "not the path of a folder: "),
        ({"file": "lost"}, "no such file: {}/lost"),
        ({"file": "images"}, "no such file: {}/images"),
        ({"file": "a" * 300}, "not the path of a file: "),
    ],
)
def test_paths_that_lead_nowhere(place, tmp_path, given, message):
    with pytest.raises(ValidationError) as caught:
        place(**given)
    (error,) = caught.value.errors()
    assert message.format(tmp_path.resolve()) in error["msg"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (5.0, "5"), (0.1, "0.1"), (1234567.8, "1234567.8"), (1e9, "1000000000"), (1e300, "1e+300")],
)
def test_numbers_are_told_with_all_their_digits(number, text):
    assert number_text(number) == text
