import numpy as np
import pytest
import torch
from torch import nn

from models.errors import InputError
from models.executor import Executor
from models.flops import forward_flops
from models.images import Preparation
from models.normalisation import AdaptableModel
from models.placement import Placement
from models.sources import LoadedModel
from models.strategies._interface import DeviceName, Laboratory, Upload
from models.strategies.statistics_only import StatisticsOnly
from sim.streams import RandomStreams

CPU = torch.device("cpu")


class Plain:
    """The method written out on the network as deployed, with its own BatchNorm layers."""

    def __init__(self, network):
        self.network = network
        self.layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        self.deployed = self.running()

    def running(self):
        return [(layer.running_mean.clone(), layer.running_var.clone()) for layer in self.layers]

    def load(self, running):
        for layer, (mean, var) in zip(self.layers, running, strict=True):
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(var)

    def predict(self, images):
        """The logits under the statistics loaded, and each layer's own mean and unbiased variance."""
        observed = []
        hooks = [
            layer.register_forward_hook(
                lambda _, inputs, __: observed.append(
                    (inputs[0].mean((0, 2, 3)), inputs[0].transpose(0, 1).flatten(1).var(1))
                )
            )
            for layer in self.layers
        ]
        with torch.no_grad():
            logits = self.network((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.4) / 0.3)
        for hook in hooks:
            hook.remove()
        return logits, observed

    @staticmethod
    def follow(running, observed, momentum):
        return [
            (mean + momentum * (m - mean), var + momentum * (v - var))
            for (mean, var), (m, v) in zip(running, observed, strict=True)
        ]


def flat(running):
    return torch.cat([part for pair in running for part in pair]).numpy()


def predict(device, images):
    return device.conclude(device.forward(images).result())


def deliver(strategy, name, decision):
    """Hand a device's statistics to the cloud and do what follows; the outcome."""
    (step,) = strategy.cloud.receive(Upload(name, statistics=decision.statistics))
    return step.begin().execute()


def test_three_devices_against_the_method_written_out(laboratory, images, tiny):
    momentum = 0.3
    strategy = StatisticsOnly(momentum=momentum).build(laboratory)
    devices = {device.name: strategy.edge(device) for device in laboratory.devices}
    plain = Plain(tiny().network)
    running = plain.deployed
    for seed in range(7):
        name = ["a-0", "a-1", "b-0"][seed % 3]
        batch = images(6, seed)
        plain.load(running)
        logits, observed = plain.predict(batch)
        decision = predict(devices[name], batch)
        torch.testing.assert_close(decision.logits, logits, rtol=0, atol=1e-5)
        np.testing.assert_allclose(decision.statistics, flat(observed), rtol=0, atol=1e-5)
        running = plain.follow(running, observed, momentum)
        version = deliver(strategy, name, decision).version
        assert (version.student, version.number) == ("fleet", seed + 1)
        np.testing.assert_allclose(version.state, flat(running), rtol=0, atol=1e-6)
        for device in devices.values():
            device.receive(version.number, version.whole(version.state))
    assert not np.allclose(flat(running), flat(plain.deployed), atol=0.1)
    assert [device.version for device in devices.values()] == [7] * 3


def test_batch_statistics_neither_predict_nor_stay(laboratory, images):
    """Without an update, a device predicts as deployed, however often it observes."""
    device = StatisticsOnly().build(laboratory).edge(laboratory.devices[0])
    first = predict(device, images(4)).logits
    predict(device, images(4, 1))
    torch.testing.assert_close(predict(device, images(4)).logits, first, rtol=0, atol=0)
    np.testing.assert_array_equal(device.state, laboratory.source_state)


def test_no_image_leaves_the_device(laboratory, images):
    device = StatisticsOnly().build(laboratory).edge(laboratory.devices[0])
    decision = predict(device, images(3))
    assert (decision.verdicts, decision.announce) == (["local"] * 3, False)


def test_a_batch_of_one(laboratory, images):
    strategy = StatisticsOnly(momentum=1.0).build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    version = deliver(strategy, "a-0", predict(device, images(1))).version
    device.receive(1, version.state)
    assert predict(device, images(1, 1)).logits.isfinite().all()


def test_statistics_are_sent_with_the_first_of_every_so_many_batches(laboratory, images):
    device = StatisticsOnly(every_batches=3).build(laboratory).edge(laboratory.devices[0])
    sent = [predict(device, images(2, seed)).statistics is not None for seed in range(7)]
    assert sent == [True, False, False, True, False, False, True]


def test_versions_are_published_every_k_steps_and_carry_all_of_them(laboratory, images):
    strategy = StatisticsOnly(publish_every_steps=2).build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    versions = [deliver(strategy, "a-0", predict(device, images(3, seed))).version for seed in range(4)]
    assert [version and version.number for version in versions] == [None, 1, None, 2]
    shared, start = strategy.cloud.scopes["fleet"].state, laboratory.edge.layout.affine_size
    np.testing.assert_array_equal(versions[-1].state, shared[start:])
    np.testing.assert_array_equal(shared[:start], laboratory.source_state[:start])
    assert [piece.stop - piece.start for piece in versions[-1].pieces] == [4, 4, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6]
    assert not np.array_equal(versions[1].state, versions[-1].state)  # a version is never changed later


@pytest.mark.parametrize(
    ("scope", "moved"),
    [("fleet", ["a-0", "a-1", "b-0"]), ("group", ["a-0", "a-1"]), ("device", ["a-1"])],
)
def test_scopes(laboratory, images, scope, moved):
    strategy = StatisticsOnly(student_scope=scope).build(laboratory)
    deliver(strategy, "a-1", predict(strategy.edge(laboratory.devices[1]), images(3)))
    states = {device.name: strategy.cloud.scopes[strategy.student(device)] for device in laboratory.devices}
    assert [name for name, shared in states.items() if shared.steps] == moved
    assert len(strategy.cloud.scopes) == {"fleet": 1, "group": 2, "device": 3}[scope]


def test_the_cost_of_a_step(laboratory, images):
    """A subtraction, a product and a sum for each mean and variance of the stem, two blocks and a shortcut."""
    strategy = StatisticsOnly().build(laboratory)
    decision = predict(strategy.edge(laboratory.devices[0]), images(2))
    (step,) = strategy.cloud.receive(Upload("a-0", statistics=decision.statistics))
    work = step.begin()
    values = 2 * (4 + 4 + 4 + 6 + 6 + 6)
    assert len(decision.statistics) == values
    assert (step.kind, work.flops, work.new_samples, work.replayed_samples) == (
        "statistics",
        3 * values,
        0,
        0,
    )


def test_a_model_without_statistics(images):
    network = nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 5)).eval()
    source = LoadedModel(network, 5, Preparation((0.4,), (0.3,)))
    edge = AdaptableModel(network, CPU)
    laboratory = Laboratory(
        executor=Executor(Placement(CPU)),
        edge=edge,
        edge_source=source,
        edge_flops=forward_flops(edge, (8, 8, 1)),
        source_state=edge.read(),
        load_edge=lambda: source,
        load_foundation=lambda: source,
        image_shape=(8, 8, 1),
        devices=[DeviceName("a-0", "a")],
        generator=RandomStreams(0).generator,
        clean_images=images,
    )
    with pytest.raises(InputError, match=r"statistics_only: models\.edge has no batch normalisation"):
        StatisticsOnly().build(laboratory)
