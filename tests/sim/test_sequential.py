"""Rule 6: an ideal link gives back the sequential algorithm, here written out as a plain loop."""

import math
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from models import corruptions
from models.images import prepare
from models.networks import ResidualNetwork
from models.normalisation import AdaptableModel, Statistics
from scenarios.schema import Scenario
from sim.recorder import Recorder
from sim.simulation import Simulation
from sim.streams import RandomStreams
from sim.world import DeviceStream

CPU = torch.device("cpu")
CLASSES, BATCHES, EDGE_BATCH, CLOUD_BATCH, REPLAY_MINIMUM = 10, 40, 24, 16, 64
NETWORKS = {"edge": ((4, 8), (1, 1), CLASSES), "foundation": ((8, 16), (1, 1), CLASSES)}
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
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1)


def sequential(scenario, batches, reference, e_min_share=0.02, replays=True):
    """Run the method one step after another, on a list of edge batches, without clock, link, agents or codecs."""
    load = {"edge": scenario.models.edge.load, "foundation": scenario.models.foundation.load}
    edge, student, teacher = (AdaptableModel(load[m]().network, CPU) for m in ("edge", "edge", "foundation"))
    student_sgd = torch.optim.SGD(student.parameters, lr=0.0025, momentum=0.9)
    teacher_sgd = torch.optim.SGD(teacher.parameters, lr=0.00025, momentum=0.9)
    edge.use(Statistics.FIRST if reference else Statistics.BATCH)
    student.use(Statistics.FIRST)
    teacher.use(Statistics.FIRST)
    sent = student.layout.size if reference else student.layout.affine_size
    generator = RandomStreams(scenario.seed).generator("cloud/replay/fleet")
    e_max0 = e_max = 0.4 * math.log(CLASSES)
    waiting, memory, entropies, moving_mean, trace = [], [], [], None, Trace()

    def run(model, images):
        return model.network(prepare(np.stack(images), MEAN, STD, CPU))

    def descend(optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def draw(count):
        return [memory[i] for i in generator.choice(len(memory), count, replace=False)]

    def adapt(new, replayed):
        if new:
            teacher.network.train()
            h = entropy(run(teacher, new))
            descend(teacher_sgd, ((e_max0 - h.detach()).exp() * h).mean())
            teacher.network.eval()
        student.network.train()
        with torch.no_grad():
            target = run(teacher, new + replayed)
        z = run(student, new + replayed)
        h, w = entropy(z), (e_max0 - entropy(target)).exp()
        divergence = (target.softmax(1) * (target.log_softmax(1) - z.log_softmax(1))).sum(1)
        pseudo_label = -z.log_softmax(1).gather(1, target.argmax(1, keepdim=True))[:, 0]
        loss = 3 * (w * divergence).mean() + (w * pseudo_label).mean()
        loss = loss + 3 * ((e_max0 - h.detach()).exp() * h).mean() if reference else loss
        descend(student_sgd, loss)
        trace.steps.append((len(new), len(replayed), loss.item()))

    for number, images in enumerate(batches):
        with torch.no_grad():
            logits = run(edge, images)
        if number == 0 and reference:  # the statistics of the device's first batch become the student's
            student.state[student.layout.affine_size :] = edge.state[edge.layout.affine_size :]
            student.use(Statistics.RUNNING)
        h, p = entropy(logits), logits.softmax(1)
        before = np.mean(entropies) if entropies else None
        entropies.extend(h.tolist())
        if not reference and before is not None:
            e_max *= np.mean(entropies) / before
        keep = h < e_max
        if not reference:
            keep &= h > e_min_share * math.log(CLASSES)
        elif keep.any() and moving_mean is None:
            moving_mean = p[keep].mean(0)
        elif keep.any():
            keep &= ((p @ moving_mean) / (p.norm(dim=1) * moving_mean.norm())).abs() < 0.4
            moving_mean = 0.9 * moving_mean + 0.1 * p[keep].mean(0) if keep.any() else moving_mean
        trace.logits.append(logits)
        trace.kept.append(keep.nonzero()[:, 0].tolist())
        uploads = [images[i] for i in trace.kept[-1]]
        waiting, memory = waiting + uploads, memory + uploads  # fewer than the 10 000 that it holds
        steps_before = len(trace.steps)
        while len(waiting) >= CLOUD_BATCH:
            new, waiting = waiting[:CLOUD_BATCH], waiting[CLOUD_BATCH:]
            adapt(new, draw(3 * CLOUD_BATCH) if replays and len(memory) >= REPLAY_MINIMUM else [])
        if reference and len(trace.steps) == steps_before and replays and len(memory) > REPLAY_MINIMUM:
            adapt([], draw(4 * CLOUD_BATCH))
        if len(trace.steps) > steps_before:
            edge.load(student.read()[:sent])
    trace.student, trace.foundation = student.read(), teacher.read()
    return trace


def pictures(count, noise, seed):
    """Noisy copies of one pattern for each class: uint8 (count, 12, 12, 1) and labels."""
    patterns = np.random.default_rng(0).uniform(60, 190, (CLASSES, 12, 12, 1))
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    images = patterns[labels] + generator.normal(0, generator.uniform(0, noise, (count, 1, 1, 1)), (count, 12, 12, 1))
    return images.clip(0, 255).astype(np.uint8), labels


def train(network, steps=60):
    images, labels = pictures(256, noise=60, seed=1)
    x, y = prepare(images, MEAN, STD, CPU), torch.from_numpy(labels)
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


@pytest.fixture
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
        simulation = Simulation(scenario, scenario.strategy[0], scenario.data.load(), recorder, CPU)
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
    cloud = simulation.strategy.cloud
    trace.student, trace.foundation = cloud.scopes["fleet"].student.state, cloud.foundation.model.read()
    return trace


def seen(scenario, batches=BATCHES):
    """The images that the scenario's device gets to see."""
    stream = DeviceStream(
        "only-0", scenario.groups["only"], scenario.data.load(), RandomStreams(scenario.seed)
    )
    return [stream.render(batch) for batch in islice(stream.batches(), batches)]


def assert_same(run, plain):
    assert run.kept == plain.kept
    torch.testing.assert_close(torch.stack(run.logits), torch.stack(plain.logits), rtol=0, atol=1e-5)
    assert [step[:2] for step in run.steps] == [step[:2] for step in plain.steps]
    np.testing.assert_allclose([s[2] for s in run.steps], [s[2] for s in plain.steps], rtol=1e-4)
    np.testing.assert_allclose(run.student, plain.student, rtol=0, atol=1e-6)
    np.testing.assert_allclose(run.foundation, plain.foundation, rtol=0, atol=1e-6)


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_an_ideal_link_gives_back_the_sequential_algorithm(scenario, tmp_path, preset):
    ideal = scenario(preset)
    run = simulated(ideal, tmp_path)
    plain = sequential(ideal, seen(ideal), preset == "reference")
    print(preset, [len(k) for k in run.kept], [s[:2] for s in run.steps], np.abs(run.student-plain.student).max())
    assert_same(run, plain)
