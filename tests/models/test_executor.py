import numpy as np
import pytest
import torch

from models.errors import InputError
from models.executor import Executor, choose_device
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics

CPU = torch.device("cpu")


@pytest.fixture
def executor():
    return Executor(CPU)


def test_nothing_runs_before_a_result_is_asked_for(executor):
    done = []
    first, second, third = (executor.step(lambda name=name: done.append(name) or name) for name in "abc")
    assert done == []
    assert second.result() == "b"
    assert done == ["a", "b"]
    assert (first.result(), third.result()) == ("a", "c")
    assert done == ["a", "b", "c"]
    assert executor.steps == 3


def test_a_result_is_computed_once(executor):
    done = []
    pending = executor.step(lambda: done.append(1))
    pending.result()
    pending.result()
    assert done == [1]


def test_a_result_of_another_executor(executor):
    pending = Executor(CPU).step(lambda: None)
    with pytest.raises(LookupError, match="not submitted to this executor"):
        executor.run_until(pending)


def test_work_that_failed_has_no_result(executor):
    pending = executor.step(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pending.result()
    with pytest.raises(LookupError, match="has failed before"):
        pending.result()


def test_forward_passes_and_steps_run_in_order_of_submission(executor, tiny, images):
    """Each pass loads its own state, so a step on the same model in between does not reach it."""
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    deployed = model.read()
    first = executor.forward(model, source, images(3), deployed, Statistics.RUNNING)
    step = executor.step(lambda: model.load(np.zeros_like(deployed)))
    again = executor.forward(model, source, images(3), deployed, Statistics.RUNNING)
    torch.testing.assert_close(again.result().logits, first.result().logits, rtol=0, atol=0)
    assert step.result() is None
    assert (executor.forward_passes, executor.steps) == (2, 1)


def test_a_forward_pass_is_the_networks_in_evaluation_mode(executor, tiny, images):
    source, other = tiny(), tiny(seed=1)
    model = AdaptableModel(source.network, CPU)
    state = AdaptableModel(other.network, CPU).read()
    forward = executor.forward(model, source, images(3), state, Statistics.RUNNING).result()
    model.load(state)
    with torch.no_grad():
        expected = model.network(prepare(images(3), source.preparation, CPU))
    torch.testing.assert_close(forward.logits, expected)
    assert forward.state is None
    assert not forward.logits.requires_grad
    np.testing.assert_array_equal(model.read(), state)


def test_the_first_batchs_statistics_are_captured(executor, tiny, images):
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    deployed, size = model.read(), model.layout.affine_size
    forward = executor.forward(model, source, images(6), deployed, Statistics.FIRST).result()
    np.testing.assert_array_equal(forward.state[:size], deployed[:size])
    with torch.no_grad():
        before_norm = model.network.stem[0](prepare(images(6), source.preparation, CPU))
    mean = forward.state[model.layout.pieces[model.layout.names.index("stem.1.running_mean")]]
    np.testing.assert_allclose(mean, before_norm.mean((0, 2, 3)), atol=1e-5)
    again = executor.forward(model, source, images(6), forward.state, Statistics.RUNNING).result()
    torch.testing.assert_close(again.logits, forward.logits, rtol=0, atol=1e-5)


def test_batch_statistics_leave_the_state(executor, tiny, images):
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    deployed = model.read()
    assert executor.forward(model, source, images(6), deployed, Statistics.BATCH).result().state is None
    np.testing.assert_array_equal(model.read(), deployed)


def test_features_come_where_they_are_asked_for(executor, tiny, images):
    source = tiny()
    model = AdaptableModel(source.network, CPU)
    asked, plain = (
        executor.forward(model, source, images(3), model.read(), Statistics.RUNNING, features=wanted)
        for wanted in (True, False)
    )
    features = asked.result().features
    torch.testing.assert_close(model.classifier(features), plain.result().logits)
    assert plain.result().features is None


def test_choice_of_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    with pytest.raises(
        InputError, match="--device cuda: no CUDA device is available here; allowed: auto, cpu"
    ):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
