import math

import pytest
import torch

from models.distillation import distillation_terms, weighted_entropy

E_MAX = 0.4 * math.log(4)


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(6, 4, generator=generator, requires_grad=True) for _ in range(2)]


def softmax(row, temperature=1.0):
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def entropy(row):
    return -sum(p * math.log(p) for p in softmax(row))


def test_weighted_entropy(logits):
    rows = logits[0].tolist()
    expected = sum(math.exp(E_MAX - entropy(row)) * entropy(row) for row in rows) / 6
    assert weighted_entropy(logits[0], E_MAX).item() == pytest.approx(expected, rel=1e-5)


def test_the_weight_of_an_entropy_has_no_gradient(logits):
    z = logits[0]
    weighted_entropy(z, E_MAX).backward()
    for row, gradient in zip(z.tolist(), z.grad, strict=True):
        p, h = softmax(row), entropy(row)
        expected = [math.exp(E_MAX - h) * -q * (math.log(q) + h) / 6 for q in p]  # dH/dz = -p (log p + H)
        assert gradient.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_terms(logits, temperature):
    student, teacher = logits
    kl = cross_entropy = 0.0
    for z, t in zip(student.tolist(), teacher.tolist(), strict=True):
        weight = math.exp(E_MAX - entropy(t))
        p, q = softmax(t, temperature), softmax(z, temperature)
        kl += weight * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) * temperature**2 / 6
        cross_entropy -= weight * math.log(softmax(z)[t.index(max(t))]) / 6
    terms = distillation_terms(student, teacher, E_MAX, temperature)
    assert terms.entropy.item() == pytest.approx(weighted_entropy(student, E_MAX).item(), rel=1e-6)
    assert terms.kl.item() == pytest.approx(kl, rel=1e-4)
    assert terms.cross_entropy.item() == pytest.approx(cross_entropy, rel=1e-5)


def test_no_gradient_flows_to_the_teacher(logits):
    student, teacher = logits
    sum(distillation_terms(student, teacher, E_MAX, 1.0)).backward()
    assert teacher.grad is None
    assert student.grad.abs().min() > 0


def test_a_student_that_agrees_has_no_divergence(logits):
    terms = distillation_terms(logits[0], logits[0], E_MAX, 3.0)
    assert terms.kl.item() == 0
