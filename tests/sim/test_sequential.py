"""Rule 6: an ideal link gives back the sequential algorithm, here written out as a plain loop.

Rounding grows over the steps wherever an activation lies close to zero, so the loop's losses are sums of the same
operations in the same order as those of the cloud; the two then agree to the last bit.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from models import corruptions
from models.images import Preparation, prepare
from models.networks import ResidualNetwork
from models.normalisation import AdaptableModel, Statistics
from models.placement import Placement
from models.rendering import Renderer
from scenarios.schema import Scenario
from sim.recorder import Recorder
from sim.simulation import Simulation
from sim.streams import RandomStreams
from sim.world import DeviceStream

CPU = torch.device("cpu")
CLASSES, BATCHES, EDGE_BATCH, CLOUD_BATCH, REPLAY_MINIMUM = 10, 32, 24, 8, 64
E_MAX0 = 0.4 * math.log(CLASSES)
NETWORKS = {"edge": ((8, 8), (1, 1), CLASSES), "foundation": ((8, 16), (1, 1), CLASSES)}
MEAN, STD = (0.5,), (0.25,)
IDEAL_LINK = {"uplink_mbps": math.inf, "downlink_mbps": math.inf}


@dataclass
class Trace:
    """What a run computed: per edge batch the logits and the indices kept, per cloud step its samples and losses."""

    logits: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    student: np.ndarray | None = None
    foundation: np.ndarray | None = None


def entropy(logits):
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def weighted_entropy(logits):
    h = entropy(logits)
    return ((E_MAX0 - h.detach()).exp() * h).mean()


def distillation(student, teacher, entropy_factor):
    w = (E_MAX0 - entropy(teacher)).exp()
    p = teacher.log_softmax(1).exp()
    divergence = (p * (teacher.log_softmax(1) - student.log_softmax(1))).sum(1)
    pseudo_label = torch.nn.functional.cross_entropy(student, teacher.argmax(1), reduction="none")
    return (
        entropy_factor * weighted_entropy(student) + 3 * (w * divergence).mean() + (w * pseudo_label).mean()
    )


def papers_criteria(e_min_share):
    """Keep what lies between a bound that follows the mean entropy of all samples and a constant one."""
    seen, e_max = [], E_MAX0

    def keep(logits):
        nonlocal e_max
        before = np.mean(seen) if seen else None
        seen.extend(entropy(logits).tolist())
        e_max *= np.mean(seen) / before if before else 1
        return (entropy(logits) < e_max) & (entropy(logits) > e_min_share * math.log(CLASSES))

    return keep


def references_criteria(d_margin):
    """Keep what lies below a constant bound and differs from what was kept before."""
    mean = None

    def keep(logits):
        nonlocal mean
        reliable, p = entropy(logits) < E_MAX0, logits.softmax(1)
        if mean is None or not reliable.any():
            mean = p[reliable].mean(0) if reliable.any() else mean
            return reliable
        cosine = (p @ mean) / (p.norm(dim=1) * mean.norm())
        kept = reliable & (cosine.abs() < d_margin)
        mean = 0.9 * mean + 0.1 * p[kept].mean(0) if kept.any() else mean
        return kept

    return keep


def sequential(scenario, batches, reference, e_min_share=0.02, replays=True):
    """Run the method one step after another, on a list of edge batches, without clock, link, agents or codecs."""
    load = {"edge": scenario.models.edge.load, "foundation": scenario.models.foundation.load}
    edge, student, teacher = (AdaptableModel(load[m]().network, CPU) for m in ("edge", "edge", "foundation"))
    student_sgd = torch.optim.SGD(student.parameters, lr=0.0025, momentum=0.9)
    teacher_sgd = torch.optim.SGD(teacher.parameters, lr=0.00025, momentum=0.9)
    edge.use(Statistics.FIRST if reference else Statistics.BATCH)
    student.use(Statistics.FIRST)
    teacher.use(Statistics.FIRST)
    affine_size = student.layout.affine_size
    keep = references_criteria(0.4) if reference else papers_criteria(e_min_share)
    generator = RandomStreams(scenario.seed).generator("cloud/replay/fleet")
    waiting, memory, trace = [], [], Trace()  # the memory never reaches the 10 000 images that it may hold

    def run(model, images, training=False):
        model.network.train(training)
        with torch.set_grad_enabled(training):
            return model.network(prepare(np.stack(images), Preparation(MEAN, STD), CPU))

    def descend(optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    def draw(count):
        return [memory[i] for i in generator.choice(len(memory), count, replace=False)]

    def distil(new, replayed):
        target = run(teacher, new + replayed)
        loss = distillation(run(student, new + replayed, training=True), target, 3 if reference else 0)
        trace.steps.append((len(new), len(replayed), descend(student_sgd, loss)))

    for number, images in enumerate(batches):
        trace.logits.append(run(edge, images))
        if number == 0 and reference:  # the device's first statistics become the student's
            student.state[affine_size:] = edge.state[affine_size:]
            student.use(Statistics.RUNNING)
        trace.kept.append(keep(trace.logits[-1]).nonzero()[:, 0].tolist())
        uploads, steps_before = [images[i] for i in trace.kept[-1]], len(trace.steps)
        waiting, memory = waiting + uploads, memory + uploads
        while len(waiting) >= CLOUD_BATCH:
            new, waiting = waiting[:CLOUD_BATCH], waiting[CLOUD_BATCH:]
            descend(teacher_sgd, weighted_entropy(run(teacher, new, training=True)))
            distil(new, draw(3 * CLOUD_BATCH) if replays and len(memory) >= REPLAY_MINIMUM else [])
        if reference and len(trace.steps) == steps_before and len(memory) > REPLAY_MINIMUM:
            distil([], draw(4 * CLOUD_BATCH))
        if len(trace.steps) > steps_before:
            edge.load(student.read() if reference else student.read()[:affine_size])
    trace.student, trace.foundation = student.read(), teacher.read()
    return trace


def pictures(count, noise, seed):
    """Noisy copies of one pattern for each class: uint8 (count, 12, 12, 1) and labels."""
    patterns = np.random.default_rng(0).uniform(60, 190, (CLASSES, 12, 12, 1))
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    images = patterns[labels] + generator.normal(
        0, generator.uniform(0, noise, (count, 1, 1, 1)), (count, 12, 12, 1)
    )
    return images.clip(0, 255).astype(np.uint8), labels


def train(network, steps=60):
    images, labels = pictures(256, noise=60, seed=1)
    x, y = torch.tensor((images[:, None, :, :, 0] / 255 - MEAN) / STD).float(), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(steps):
        part = slice(64 * (step % 4), 64 * (step % 4) + 64)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x[part]), y[part]).backward()
        optimiser.step()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set, two briefly trained models and the factory that builds them."""
    folder = tmp_path_factory.mktemp("tiny")
    images, labels = pictures(600, noise=150, seed=2)
    np.savez(folder / "images.npz", images=images, labels=labels)
    lines = ["from models.networks import ResidualNetwork"]
    for name, structure in NETWORKS.items():
        torch.manual_seed(0)
        network = ResidualNetwork(*structure)
        train(network)
        save_file(network.state_dict(), folder / f"{name}.safetensors")
        lines.append(f"def {name}():\n    return ResidualNetwork{structure}")
    (folder / "tiny.py").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def scenario(folder):
    """Build an ideal scenario of one device; `group` and `strategy` replace or add fields."""

    def build(preset, group=None, **strategy):
        def model(name):
            weights = {"checkpoint": folder / f"{name}.safetensors", "mean": MEAN, "std": STD}
            return {"factory": f"{folder / 'tiny.py'}:{name}", "num_classes": CLASSES, **weights}

        cema = {"name": "cema", "preset": preset, "batch_size": CLOUD_BATCH, **strategy}
        cema["replay"] = {"minimum": REPLAY_MINIMUM}
        if preset == "reference":
            cema["criteria"] = {"redundant": {"d_margin": 0.4}}
        only = {
            "stream": {"rate_hz": 1.0, "batch_size": EDGE_BATCH, "phase": "zero"},
            "compute": {"gflops": math.inf},
            "link": IDEAL_LINK,
            "upload_codec": "png",
        }
        data = {
            "name": "ideal",
            "seed": 3,
            "duration_s": float(BATCHES),
            "data": {"npz": folder / "images.npz"},
            "models": {"edge": model("edge"), "foundation": model("foundation")},
            "strategy": cema,
            "cloud": {"gflops": math.inf, "update_codec": "fp32"},
            "groups": {"only": only | (group or {})},
        }
        return Scenario.model_validate(data)

    return build


def simulated(scenario, folder):
    """Run the scenario and observe what its device concludes."""
    trace = Trace()
    with Recorder(folder) as recorder:
        simulation = Simulation(
            scenario, scenario.strategy[0], scenario.data.load(), recorder, Placement(CPU, 32), Renderer(1)
        )
        agent = simulation.devices["only-0"].agent
        conclude = agent.conclude

        def observed(forward):
            decision = conclude(forward)
            trace.logits.append(decision.logits)
            trace.kept.append([i for i, verdict in enumerate(decision.verdicts) if verdict == "kept"])
            return decision

        agent.conclude = observed
        simulation.run()
        simulation.finish()
    steps = pq.read_table(folder / "updates.parquet").to_pylist()
    trace.steps = [(s["new_samples"], s["replayed_samples"], s["distillation_loss"]) for s in steps]
    strategy = simulation.strategy
    trace.student = strategy.cloud.scopes["fleet"].student.state
    trace.foundation = strategy.foundation.model.read()
    return trace


def seen(scenario, batches=BATCHES):
    """The images that the scenario's device gets to see."""
    stream = DeviceStream(
        "only-0", scenario.groups["only"], scenario.data.load(), RandomStreams(scenario.seed), Renderer(1)
    )
    return [stream.render(batch).result()[0] for batch in islice(stream.batches(), batches)]


def assert_same(run, plain):
    assert run.kept == plain.kept
    torch.testing.assert_close(torch.stack(run.logits), torch.stack(plain.logits), rtol=0, atol=1e-5)
    assert [step[:2] for step in run.steps] == [step[:2] for step in plain.steps]
    np.testing.assert_allclose([s[2] for s in run.steps], [s[2] for s in plain.steps], rtol=1e-4)
    np.testing.assert_allclose(run.student, plain.student, rtol=0, atol=1e-6)
    np.testing.assert_allclose(run.foundation, plain.foundation, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def run(scenario, tmp_path_factory):
    """Simulate the ideal scenario of a preset, once."""
    return cache(lambda preset: simulated(scenario(preset), tmp_path_factory.mktemp(preset)))


@pytest.fixture(scope="module")
def plain(scenario):
    """Run the plain loop on what the ideal scenario's device sees, once for each set of arguments."""
    images = seen(scenario("paper"))
    return cache(
        lambda preset, **change: sequential(scenario(preset), images, preset == "reference", **change)
    )


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_an_ideal_link_gives_back_the_sequential_algorithm(run, plain, preset):
    assert len(run(preset).kept) == BATCHES
    assert_same(run(preset), plain(preset))


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_the_comparison_covers_what_the_method_does(plain, preset):
    trace = plain(preset)
    assert 0.2 < sum(map(len, trace.kept)) / (BATCHES * EDGE_BATCH) < 0.8
    assert max(map(len, trace.kept)) > CLOUD_BATCH  # two cloud batches from one edge batch
    kinds = {(CLOUD_BATCH, 0), (CLOUD_BATCH, 3 * CLOUD_BATCH)}
    assert {step[:2] for step in trace.steps} == kinds | (
        {(0, 4 * CLOUD_BATCH)} if preset == "reference" else set()
    )


@pytest.mark.parametrize("mistake", [{"e_min_share": 0.03}, {"replays": False}])
def test_the_comparison_can_fail(run, plain, mistake):
    with pytest.raises(AssertionError):
        assert_same(run("paper"), plain("paper", **mistake))


def test_the_comparison_can_tell_the_presets_apart(run, plain):
    with pytest.raises(AssertionError):
        assert_same(run("paper"), plain("reference"))


def test_a_device_that_falls_behind_still_computes_the_sequence(scenario, tmp_path):
    """Each batch takes 1.2 s and the next one waits already: the updates come first all the same."""
    slow = {"compute": {"gflops": math.inf, "overhead_ms": 1200.0}, "queue": {"capacity": 100}}
    ideal = scenario("reference", slow)
    run = simulated(ideal, tmp_path)
    assert 20 < len(run.kept) < BATCHES
    assert_same(run, sequential(ideal, seen(ideal, len(run.kept)), reference=True))


@pytest.mark.skipif("gaussian_noise" not in corruptions.names(), reason="no corruption to shift to")
def test_an_ideal_link_under_a_shift(scenario, tmp_path):
    noise = {"corruption": "gaussian_noise", "severity": 3}
    shifting = {"schedule": [{"duration_s": 10.0}, noise], "upload_codec": "raw"}
    ideal = scenario("paper", shifting)
    images = seen(ideal)
    assert not np.array_equal(images[20], seen(scenario("paper"))[20])
    assert_same(simulated(ideal, tmp_path), sequential(ideal, images, reference=False))
