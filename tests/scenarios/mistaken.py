"""What tests of settings share."""

from __future__ import annotations

import pytest
from pydantic import ValidationError


def errors(settings, data):
    """Return where the mistakes in data are, and what is said of them."""
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(data)
    return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in caught.value.errors()]
