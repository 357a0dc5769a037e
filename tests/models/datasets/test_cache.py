from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.datasets._cache import ImageCache


def image(value, size=4):
    return np.full((1, size, 1), value, np.uint8)


def test_the_image_not_used_for_longest_goes_first():
    cache = ImageCache(capacity=8)
    cache.put("a", image(1))
    cache.put("b", image(2))
    assert cache.get("a") is not None
    cache.put("c", image(3))
    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]


def test_an_image_larger_than_the_capacity_is_not_kept():
    cache = ImageCache(capacity=3)
    cache.put("a", image(1))
    assert (cache.get("a"), cache.held) == (None, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())), st.integers(0, 30))
def test_bytes_are_counted_and_bounded(uses, capacity):
    cache = ImageCache(capacity)
    for name, put in uses:
        if put:
            cache.put(str(name), image(name, size=name))
        found = cache.get(str(name))
        assert found is None or (found == image(name, size=name)).all()
        kept = [cache.get(str(other)) for other in range(10)]
        assert cache.held == sum(each.nbytes for each in kept if each is not None) <= capacity


def test_threads_share_a_cache():
    cache = ImageCache(capacity=40)

    def use(number):
        name = str(number % 20)
        cache.put(name, image(number % 20))
        found = cache.get(name)
        return found is None or (found == number % 20).all()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(2000)))
    assert cache.held == 40
