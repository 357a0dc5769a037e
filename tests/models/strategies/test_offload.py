import math

import numpy as np
import pytest
import torch
from torch import nn

from models.strategies._interface import Upload
from models.strategies.offload import Offload

E_MAX0 = 0.4 * math.log(5)
LEARNING_RATE, MOMENTUM = 0.01, 0.9


def prepared(images):
    return (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.4) / 0.3


class PlainNorm(nn.Module):
    """Test-time batch renormalisation written out; until it learns, it uses the deployed statistics."""

    def __init__(self, deployed):
        super().__init__()
        self.weight, self.bias = nn.Parameter(deployed.weight.clone()), nn.Parameter(deployed.bias.clone())
        self.mean, self.var = deployed.running_mean.clone(), deployed.running_var.clone()
        self.learnt = False

    def forward(self, x):
        def along(v):
            return v[:, None, None]

        if not self.training:
            y = (x - along(self.mean)) / along((self.var + 1e-5).sqrt())
            return along(self.weight) * y + along(self.bias)
        mu, var = x.mean((0, 2, 3)), x.transpose(0, 1).flatten(1).var(1)
        if not self.learnt:
            self.mean, self.var, self.learnt = mu.detach().clone(), var.detach().clone(), True
        sigma, sigma_running = (var + 1e-5).sqrt(), (self.var + 1e-5).sqrt()
        r, d = (sigma / sigma_running).detach(), ((mu - self.mean) / sigma_running).detach()
        y = (x - along(mu)) / along(sigma) * along(r) + along(d)
        self.mean = self.mean + 0.1 * (mu.detach() - self.mean)
        self.var = self.var + 0.1 * (var.detach() - self.var)
        return along(self.weight) * y + along(self.bias)


def rewritten(network):
    """Put the layers above in place of BatchNorm; the network and the layers in order."""
    layers = []
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            layers.append(PlainNorm(module))
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, layers[-1])
    network.requires_grad_(False)
    for layer in layers:
        layer.requires_grad_(True)
    return network.eval(), layers


def test_answers_and_adaptation_against_the_method_written_out(laboratory, images, tiny):
    settings = Offload(adapt=True, batch_size=6, learning_rate=LEARNING_RATE, momentum=MOMENTUM)
    cloud = settings.build(laboratory).cloud
    network, layers = rewritten(tiny(seed=1).network)
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    optimiser = torch.optim.SGD(parameters, LEARNING_RATE, MOMENTUM)
    waiting, kinds = [], []
    for number in range(8):
        batch = images(4, number)
        answer, *adaptations = cloud.receive(Upload("a-0", batch, batch=number))
        with torch.no_grad():
            expected = network(prepared(batch))
        given = answer.begin().execute().answer
        assert (given.device, given.batch) == ("a-0", number)
        torch.testing.assert_close(given.logits, expected, rtol=0, atol=1e-5)
        waiting += list(batch)
        kinds.append([(step.student, step.kind) for step in adaptations])
        for step in adaptations:
            new, waiting = waiting[:6], waiting[6:]
            loss = step.begin().execute().losses["foundation_loss"]
            p = network.train()(prepared(np.stack(new))).softmax(1)
            h = -(p * p.log()).sum(1)
            plain_loss = ((E_MAX0 - h.detach()).exp() * h).mean()
            optimiser.zero_grad()
            plain_loss.backward()
            optimiser.step()
            network.eval()
            assert loss == pytest.approx(plain_loss.item(), abs=1e-6)
    assert kinds == [[] if number in (0, 3, 6) else [("foundation", "batch")] for number in range(8)]
    plain_state = [*parameters, *(t for layer in layers for t in (layer.mean, layer.var))]
    np.testing.assert_allclose(
        cloud.foundation.model.read(),
        torch.cat([t.detach() for t in plain_state]).numpy(),
        rtol=0,
        atol=2e-6,
    )


def test_without_adaptation_the_deployed_model_answers_and_never_changes(laboratory, images, tiny):
    cloud = Offload().build(laboratory).cloud
    before = cloud.foundation.model.read()
    for seed in range(12):
        (step,) = cloud.receive(Upload("b-0", images(5, seed)))
        with torch.no_grad():
            expected = tiny(seed=1).network(prepared(images(5, seed)))
        torch.testing.assert_close(step.begin().execute().answer.logits, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(cloud.foundation.model.read(), before)


def test_a_batch_of_one(laboratory, images):
    cloud = Offload(adapt=True, batch_size=2).build(laboratory).cloud
    for seed in range(5):
        for step in cloud.receive(Upload("a-1", images(1, seed), batch=seed)):
            outcome = step.begin().execute()
            if step.kind == "answer":
                assert outcome.answer.logits.shape == (1, 5)
                assert outcome.answer.logits.isfinite().all()
    assert np.isfinite(cloud.foundation.model.read()).all()


def test_a_large_upload_makes_several_steps_ready_behind_its_answer(laboratory, images):
    cloud = Offload(adapt=True, batch_size=3).build(laboratory).cloud
    steps = cloud.receive(Upload("a-0", images(7)))
    assert [(step.student, step.kind) for step in steps] == [("a-0", "answer")] + [
        ("foundation", "batch")
    ] * 2


def test_the_cost_of_steps(laboratory, images):
    cloud = Offload(adapt=True, batch_size=4).build(laboratory).cloud
    works = [step.begin() for step in cloud.receive(Upload("a-0", images(4)))]
    answer, adaptation = works
    assert answer.flops == 4 * cloud.foundation.forward_flops > 0
    assert adaptation.flops == 4 * cloud.foundation.training_flops > answer.flops
    assert [(work.new_samples, work.replayed_samples) for work in works] == [(4, 0), (4, 0)]


def test_a_device_computes_nothing(laboratory, images):
    strategy = Offload().build(laboratory)
    device = strategy.edge(laboratory.devices[0])
    assert (device.version, device.flops(16), device.forward(images(3))) == (None, 0, None)
    assert [strategy.student(name) for name in laboratory.devices] == ["a-0", "a-1", "b-0"]
    with pytest.raises(LookupError):
        device.receive(1, laboratory.source_state)
    with pytest.raises(LookupError):
        device.conclude(None)


def test_a_foundation_model_is_needed():
    assert Offload.needs_foundation


def test_images_from_before_a_reset_are_answered_and_not_learnt_from(laboratory, images):
    cloud = Offload(adapt=True, batch_size=2).build(laboratory).cloud
    steps = cloud.receive(Upload("a-0", images(4), stale=True))
    assert [step.kind for step in steps] == ["answer"]
    assert [step.kind for step in cloud.receive(Upload("a-0", images(1)))] == ["answer"]
