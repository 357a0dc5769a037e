import torch

from models.images import Preparation, prepare
from models.strategies.source import Source


def test_the_model_as_deployed_predicts_and_nothing_is_sent(laboratory, images, tiny):
    strategy = Source().build(laboratory)
    assert strategy.cloud is None
    device = strategy.edge(laboratory.devices[0])
    with torch.no_grad():
        expected = tiny().network(prepare(images(4), Preparation((0.4,), (0.3,)), torch.device("cpu")))
    for _ in range(2):
        decision = device.conclude(device.forward(images(4)).result())
        torch.testing.assert_close(decision.logits, expected)
        assert decision.verdicts == ["local"] * 4
        assert (decision.statistics, decision.announce) == (None, False)


def test_all_devices_share_a_name(laboratory):
    strategy = Source().build(laboratory)
    assert {strategy.student(device) for device in laboratory.devices} == {"source"}
