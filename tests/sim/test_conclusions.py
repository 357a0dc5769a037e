from dataclasses import dataclass

import pytest

from models.executor import LostError
from sim.conclusions import Conclusions


@dataclass
class FakePending:
    name: str
    asked: list

    def result(self):
        self.asked.append(self.name)
        return self.name


@pytest.fixture
def asked():
    return []


def test_results_are_asked_for_in_order_once_enough_samples_wait(asked):
    conclusions, drawn = Conclusions(6), []
    for name in "abc":
        conclusions.put_off(2, FakePending(name, asked), drawn.append, None)
    assert drawn == asked == ["a"]
    assert conclusions.samples == 4


def test_settling_draws_all(asked):
    conclusions, drawn = Conclusions(100), []
    for name in "abc":
        conclusions.put_off(2, FakePending(name, asked), drawn.append, None)
    conclusions.settle()
    assert drawn == ["a", "b", "c"]
    assert conclusions.samples == 0


def test_what_an_interrupt_has_made_impossible_is_given_up(asked):
    class Lost(FakePending):
        def result(self):
            raise LostError

    conclusions, drawn, given_up = Conclusions(100), [], []
    for pending in (FakePending("a", asked), Lost("b", asked), FakePending("c", asked)):
        conclusions.put_off(2, pending, drawn.append, lambda name=pending.name: given_up.append(name))
    conclusions.close()
    assert (drawn, given_up, conclusions.samples) == (["a", "c"], ["b"], 0)
