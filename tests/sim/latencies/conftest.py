import pytest
from pydantic import TypeAdapter

from scenarios import catalogue

LATENCY = TypeAdapter(catalogue.tagged_by_field(catalogue.LATENCIES, "distribution"))


@pytest.fixture
def latency(tmp_path):
    """Check settings as in a scenario in the folder `tmp_path`."""
    return lambda **given: LATENCY.validate_python(given, context={"folder": tmp_path})
