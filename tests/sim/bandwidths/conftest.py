import pytest
from pydantic import TypeAdapter

from scenarios import catalogue

BANDWIDTH = TypeAdapter(catalogue.tagged_by_field(catalogue.BANDWIDTHS, "model"))


@pytest.fixture
def bandwidth(tmp_path):
    """Check settings as in a scenario in the folder `tmp_path`."""
    return lambda **given: BANDWIDTH.validate_python(given, context={"folder": tmp_path})


@pytest.fixture
def written(tmp_path):
    """Write a file and return its name."""

    def write(content: str, name: str = "trace") -> str:
        (tmp_path / name).write_text(content)
        return name

    return write


@pytest.fixture
def no_draws():
    """Stand for a generator that must not be asked for."""

    def generator():
        raise AssertionError("nothing is random here")

    return generator
