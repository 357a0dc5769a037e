import numpy as np
import torch

from models.strategies.tent_on_device import TentOnDevice


def settings(**fields):
    return TentOnDevice.model_validate({"learning_rate": 0.1} | fields)


def test_the_papers_settings_for_imagenet():
    tent = TentOnDevice()
    assert (tent.optimiser, tent.learning_rate, tent.momentum) == ("sgd", 0.00025, 0.9)


def test_each_batch_is_predicted_and_then_learnt(laboratory, images, plain):
    device = settings().build(laboratory).edge(laboratory.devices[0])
    descent = torch.optim.SGD(plain.parameters, 0.1, momentum=0.9)
    for seed, count in enumerate((6, 3, 1)):
        decision = device.conclude(device.forward(images(count, seed)).result())
        logits = plain.logits(images(count, seed))
        torch.testing.assert_close(decision.logits, logits.detach(), rtol=0, atol=1e-5)
        descent.zero_grad()
        p = logits.softmax(1)
        (-(p * p.log()).sum(1).mean()).backward()
        descent.step()
    state, size = device.student.state, len(plain.affine())
    np.testing.assert_allclose(state[:size], plain.affine(), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(state[size:], laboratory.source_state[size:])
