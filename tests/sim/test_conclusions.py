from dataclasses import dataclass

import pytest

from sim.conclusions import Conclusions


@dataclass
class FakePending:
    name: str
    asked: list
    done: bool = False

    def result(self):
        self.asked.append(self.name)
        return self.name


@pytest.fixture
def asked():
    return []


def test_results_are_asked_for_in_order_once_enough_samples_wait(asked):
    conclusions, drawn = Conclusions(6), []
    for name in "abc":
        conclusions.put_off(2, FakePending(name, asked), drawn.append)
    assert drawn == asked == ["a"]
    assert conclusions.samples == 4


def test_what_is_done_by_then_is_concluded_too(asked):
    conclusions, drawn = Conclusions(6), []
    for name, done in (("a", False), ("b", True), ("c", False)):
        conclusions.put_off(2, FakePending(name, asked, done), drawn.append)
    assert drawn == ["a", "b"]


def test_settling_draws_all(asked):
    conclusions, drawn = Conclusions(100), []
    for name in "abc":
        conclusions.put_off(2, FakePending(name, asked), drawn.append)
    conclusions.settle()
    assert drawn == ["a", "b", "c"]
    assert conclusions.samples == 0
