import numpy as np
import pytest

from models.strategies._interface import Version

DEPLOYED = np.arange(5, dtype=np.float32)


@pytest.mark.parametrize(
    ("start", "source", "whole"), [(0, [0, 1], [7, 8, 2, 3, 4]), (3, [3, 4], [0, 1, 2, 7, 8])]
)
def test_what_is_not_sent_is_as_deployed(start, source, whole):
    version = Version("fleet", 1, np.array([9, 9], np.float32), DEPLOYED, (slice(0, 2),), start)
    assert version.source.tolist() == source
    assert version.whole(np.array([7, 8], np.float32)).tolist() == whole
    assert DEPLOYED.tolist() == [0, 1, 2, 3, 4]
