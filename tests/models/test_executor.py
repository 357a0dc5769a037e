import numpy as np
import pytest
import torch

from models.executor import Executor, LostError
from models.images import prepare
from models.normalisation import AdaptableModel, Statistics
from models.placement import Placement

CPU = torch.device("cpu")
BATCH_AND_RUNNING = Statistics(0.3, 0)


@pytest.fixture
def executor():
    """Fuses up to eight images."""
    return Executor(Placement(CPU, images_per_pass=8))


@pytest.fixture
def overlapping():
    """Takes steps beside passes."""
    with Executor(Placement(CPU, overlaps=True)) as executor:
        yield executor


@pytest.fixture
def edge(tiny):
    source = tiny()
    return AdaptableModel(source.network, CPU), source


def altered(state, number):
    """A version of its own."""
    return (state * np.float32(1 + 0.02 * number)).astype(np.float32)


def test_no_step_runs_before_a_result_is_asked_for(executor):
    done = []
    first, second, third = (executor.step(lambda name=name: done.append(name) or name) for name in "abc")
    assert done == []
    assert second.result() == "b"
    assert done == ["a", "b"]
    assert (first.result(), third.result()) == ("a", "c")
    assert done == ["a", "b", "c"]
    assert executor.steps == 3


def test_steps_beside_passes_run_at_once_and_in_order(overlapping):
    done = []
    overlapping.then(lambda: done.append("a"))
    second, third = (overlapping.step(lambda name=name: done.append(name) or name) for name in "bc")
    assert third.result() == "c"
    assert done == ["a", "b", "c"]
    assert second.result() == "b"
    assert overlapping.steps == 2


@pytest.mark.parametrize("where", ["executor", "overlapping"])
def test_everything_submitted_can_be_done_before_any_result_is_asked_for(where, request):
    executor, done = request.getfixturevalue(where), []
    pending = executor.step(lambda: done.append("step"))
    executor.then(lambda: done.append("change"))
    executor.do_all_steps()
    assert done == ["step", "change"]
    pending.result()
    assert done == ["step", "change"]
    assert executor.steps == 1


@pytest.mark.parametrize("where", ["executor", "overlapping"])
def test_a_result_is_computed_once(where, request):
    done = []
    pending = request.getfixturevalue(where).step(lambda: done.append(1))
    pending.result()
    pending.result()
    assert done == [1]


def test_work_that_failed_has_no_result(executor):
    pending = executor.step(lambda: 1 / 0)
    following = executor.step(lambda: 1)
    with pytest.raises(ZeroDivisionError):
        following.result()
    for lost in (pending, following):
        with pytest.raises(LostError, match="has failed"):
            lost.result()


def test_beside_passes_what_follows_a_failure_fails_too(overlapping):
    failing, following = overlapping.step(lambda: 1 / 0), overlapping.step(lambda: 1)
    for lost in (following, failing):
        with pytest.raises(ZeroDivisionError):
            lost.result()


def test_a_pass_that_failed_has_no_result(executor, edge, images):
    model, source = edge
    wrong = executor.forward(model, source, images(3)[:, :, :0], model.read(), Statistics.RUNNING)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            wrong.result()


def test_an_interrupted_pass_is_tried_again(executor, edge, images, monkeypatch):
    """With all requests that shared it."""
    model, source = edge
    requests = [executor.forward(model, source, images(2), model.read(), Statistics.BATCH) for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(model.network, "forward", lambda x: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            requests[1].result()
    assert [pending.done for pending in requests] == [False] * 2
    assert [pending.result().forward_pass for pending in requests] == [0, 0]


def test_a_step_on_the_same_model_does_not_reach_a_pass(executor, edge, images):
    """Each pass loads its own state."""
    model, source = edge
    deployed = model.read()
    before = executor.forward(model, source, images(3), deployed, Statistics.RUNNING).result()
    executor.step(lambda: model.load(np.zeros_like(deployed))).result()
    after = executor.forward(model, source, images(3), deployed, Statistics.RUNNING).result()
    torch.testing.assert_close(after.logits, before.logits, rtol=0, atol=0)
    assert (executor.forward_passes, executor.steps) == (2, 1)


def test_a_forward_pass_is_the_networks_in_evaluation_mode(executor, edge, tiny, images):
    model, source = edge
    state = AdaptableModel(tiny(seed=1).network, CPU).read()
    forward = executor.forward(model, source, images(3), state, Statistics.RUNNING).result()
    model.load(state)
    with torch.no_grad():
        expected = model.network(prepare(images(3), source.preparation, CPU))
    torch.testing.assert_close(forward.logits, expected)
    assert forward.state is None
    assert not forward.logits.requires_grad
    np.testing.assert_array_equal(model.read(), state)


def test_the_first_batchs_statistics_are_captured(executor, edge, images):
    model, source = edge
    deployed, size = model.read(), model.layout.affine_size
    forward = executor.forward(model, source, images(6), deployed, Statistics.FIRST).result()
    np.testing.assert_array_equal(forward.state[:size], deployed[:size])
    with torch.no_grad():
        before_norm = model.network.stem[0](prepare(images(6), source.preparation, CPU))
    mean = forward.state[model.layout.pieces[model.layout.names.index("stem.1.running_mean")]]
    np.testing.assert_allclose(mean, before_norm.mean((0, 2, 3)), atol=1e-5)
    again = executor.forward(model, source, images(6), forward.state, Statistics.RUNNING).result()
    torch.testing.assert_close(again.logits, forward.logits, rtol=0, atol=1e-5)


def test_batch_statistics_leave_the_state(executor, edge, images):
    model, source = edge
    deployed = model.read()
    assert executor.forward(model, source, images(6), deployed, Statistics.BATCH).result().state is None
    np.testing.assert_array_equal(model.read(), deployed)


def test_features_come_where_they_are_asked_for(executor, edge, images):
    model, source = edge
    asked, plain = (
        executor.forward(model, source, images(3), model.read(), Statistics.RUNNING, features=wanted)
        for wanted in (True, False)
    )
    features = asked.result().features
    torch.testing.assert_close(model.classifier(features), plain.result().logits)
    assert plain.result().features is None


def test_the_oldest_requests_share_a_pass_until_the_result_is_there(executor, edge, images):
    """At most eight images: 3 + 4, then 2 + 5; a batch of nine runs alone, and the last is left waiting."""
    model, source = edge
    deployed = model.read()
    sizes = (3, 4, 2, 5, 9, 1)
    requests = [executor.forward(model, source, images(n), deployed, Statistics.RUNNING) for n in sizes]
    assert requests[2].result().forward_pass == 1
    assert [pending.done for pending in requests] == [True] * 4 + [False] * 2
    assert [pending.result().forward_pass for pending in requests] == [0, 0, 1, 1, 2, 3]
    assert [len(pending.result().logits) for pending in requests] == list(sizes)
    assert executor.forward_passes == 4


def test_requests_of_different_kinds_do_not_share_a_pass(executor, edge, images):
    model, source = edge
    deployed = model.read()
    running = executor.forward(model, source, images(2), deployed, Statistics.RUNNING)
    batch = executor.forward(model, source, images(2), deployed, Statistics.BATCH)
    assert (batch.result().forward_pass, running.done) == (0, False)
    assert running.result().forward_pass == 1


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize(
    "statistics",
    [Statistics.RUNNING, Statistics.BATCH, Statistics.FIRST, Statistics.OBSERVED, BATCH_AND_RUNNING],
)
def test_fused_and_alone_agree(edge, images, statistics, features):
    model, source = edge
    deployed = model.read()

    def run(images_per_pass):
        executor = Executor(Placement(CPU, images_per_pass))
        requests = [
            executor.forward(model, source, images(n, seed=i), altered(deployed, i), statistics, features)
            for i, n in enumerate((1, 2, 2, 1, 3))
        ]
        return executor, [pending.result() for pending in requests]

    (alone, expected), (fused, found) = run(1), run(32)
    assert (alone.forward_passes, fused.forward_passes) == (5, 1)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other.logits, one.logits, rtol=0, atol=1e-4)
        assert (one.state is None) == (other.state is None)
        if one.state is not None:
            np.testing.assert_allclose(other.state, one.state, rtol=1e-4, atol=1e-5)
        if features:
            torch.testing.assert_close(other.features, one.features, rtol=0, atol=1e-4)


def test_a_model_that_mixes_wrongly_runs_versions_apart(executor, edge, images, monkeypatch):
    """The first mixture is held against passes one by one."""
    monkeypatch.setattr(
        "models.mixture.Mixture._of_samples", lambda self, bank, x, axis: bank[0, :, None, None]
    )
    model, source = edge
    deployed = model.read()
    versions = [deployed, altered(deployed, 1), deployed]
    requests = [executor.forward(model, source, images(2), state, Statistics.RUNNING) for state in versions]
    assert [pending.result().forward_pass for pending in requests] == [0, 1, 0]
    for pending, state in zip(requests, versions, strict=True):
        model.load(state)
        with torch.no_grad():
            expected = model.network(prepare(images(2), source.preparation, CPU))
        torch.testing.assert_close(pending.result().logits, expected)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_on_cuda_convolutions_are_exact_and_repeat(device):
    """Told without a GPU: nothing runs."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    with Executor(Placement(torch.device(device))):
        assert torch.backends.cudnn.enabled
        inside = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
        assert inside == ((False, True) if device == "cuda" else before)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before


class Centred(torch.nn.Module):
    """Subtracts the mean of all samples, even in evaluation mode."""

    def forward(self, x):
        return x - x.mean(0)


def test_a_model_that_looks_across_samples_runs_each_request_alone(executor, edge, images):
    model, source = edge
    model.network.classifier.register_forward_hook(lambda *_: Centred()(_[2]))
    deployed = model.read()
    requests = [
        executor.forward(model, source, images(2, seed=i), deployed, Statistics.RUNNING) for i in (0, 1)
    ]
    assert [pending.result().forward_pass for pending in requests] == [0, 1]


def test_a_model_that_is_no_longer_used_is_not_kept(executor, tiny, images):
    """As after a reset."""
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    source = tiny()
    model = AdaptableModel(source.network, CPU)
    versions = [altered(model.read(), number) for number in range(2)]
    requests = [executor.forward(model, source, images(1), state, Statistics.RUNNING) for state in versions]
    requests[0].result()
    watched = weakref.ref(model)
    del model, source, requests
    gc.collect()
    assert watched() is None


def test_versions_are_neither_copied_nor_kept(executor, edge, images):
    """Requests hold the array that they brought, and nothing holds it afterwards."""
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    model, source = edge
    versions = [altered(model.read(), number) for number in range(3)]
    watched = [weakref.ref(state) for state in versions]
    requests = [executor.forward(model, source, images(1), state, Statistics.RUNNING) for state in versions]
    requests[0].result()
    del versions
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3
