from pathlib import Path

import pytest
from pydantic import ValidationError

from scenarios import traces
from scenarios.settings import Settings


class Recording(Settings):
    file: traces.TraceFile


@pytest.fixture
def recording(tmp_path):
    """Check settings that lie in the folder `tmp_path`."""
    return lambda file: Recording.model_validate({"file": file}, context={"folder": tmp_path})


def test_a_file_is_relative_to_the_scenarios_folder(recording, tmp_path):
    (tmp_path / "mine.csv").touch()
    assert recording("mine.csv").file == (tmp_path / "mine.csv").resolve()


def test_a_packaged_trace_goes_by_its_name(recording):
    assert recording("lte-drive.up").file == Path(traces.__file__).resolve().parent / "lte-drive.up"


def test_a_file_comes_before_a_packaged_trace(recording, tmp_path):
    (tmp_path / "lte-drive.up").touch()
    assert recording("lte-drive.up").file == (tmp_path / "lte-drive.up").resolve()


@pytest.mark.parametrize("name", ["lte-drive", "generate.py", "../traces/lte-drive.up"])
def test_what_is_neither(recording, tmp_path, name):
    with pytest.raises(ValidationError) as caught:
        recording(name)
    (error,) = caught.value.errors()
    allowed = "latency-lte.csv, lte-drive.up, rush-hour.csv, wifi-office.csv"
    path = (tmp_path / name).resolve()
    assert error["msg"] == f"Value error, no such file: {path}, nor a packaged trace, one of: {allowed}"


def test_written_down_a_packaged_trace_keeps_its_name_and_another_file_its_path(recording, tmp_path):
    (tmp_path / "mine.csv").touch()
    for name, kept in (("lte-drive.up", "lte-drive.up"), ("mine.csv", str(tmp_path.resolve() / "mine.csv"))):
        settings = recording(name)
        assert settings.model_dump(mode="json") == {"file": kept}
        assert recording(kept) == settings


def test_in_python_it_is_a_path_that_stands_for_its_contents(recording):
    dumped = recording("lte-drive.up").model_dump()
    assert isinstance(dumped["file"], Path)
    assert Recording.model_validate(dumped) == recording("lte-drive.up")
