"""One strategy on one fleet: build the world, let time pass, account for everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch

from models import rendering
from models.executor import Executor
from models.fitting import fit
from models.flops import Known, forward_flops
from models.normalisation import AdaptableModel
from models.strategies._interface import DeviceName, Laboratory
from sim.cell import Cell
from sim.clock import Clock, nanoseconds, seconds
from sim.cloud import Cloud
from sim.conclusions import Conclusions
from sim.device import Device
from sim.link import Direction, Link, bits_per_second
from sim.messages import Message
from sim.recorder import TransferRecorder
from sim.streams import RandomStreams
from sim.versions import VersionLog
from sim.world import DeviceStream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.datasets import DataSet
    from models.placement import Placement
    from models.rendering import Renderer
    from models.sources import LoadedModel
    from models.strategies import Base as StrategySettings
    from scenarios.fleet import Group
    from scenarios.network import Link as LinkSettings
    from scenarios.schema import Scenario
    from sim.recorder import Recorder


REPORTED_DEVICES = 100_000
"""Devices that the reports of a run look at, in all: more would cost a large fleet more time than they tell."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come: simulated seconds, samples, share of correct predictions, bytes both ways."""

    simulated_s: float
    samples: int
    accuracy: float
    uplink_bytes: int
    downlink_bytes: int


class Simulation:
    """A run of one strategy that can be advanced in steps.

    Attributes:
        clock: the one clock, in nanoseconds.
        devices: by name, in the scenario's order.
        uplinks, downlinks: of each device.
        cloud: None where the strategy has none.
        executor: runs the models.
        conclusions: of predictions whose results are not needed yet.

    """

    def __init__(
        self,
        scenario: Scenario,
        strategy: StrategySettings,
        data: DataSet,
        recorder: Recorder,
        placement: Placement,
        renderer: Renderer,
    ) -> None:
        self.scenario = scenario
        self.settings = strategy
        self.data = data
        self.recorder = recorder
        self.renderer = renderer
        self.clock = Clock()
        self.end = nanoseconds(scenario.duration_s)
        self.executor = Executor(placement)
        self.conclusions = Conclusions(placement.images_per_pass)
        self._streams = RandomStreams(scenario.seed)
        self._cells = {
            (name, way): Cell(self.clock, bits_per_second(getattr(cell, f"{way}link_mbps")))
            for name, cell in scenario.cells.items()
            for way in ("up", "down")
        }
        self._directions = {
            (name, way): direction_of(group.link, way)
            for name, group in scenario.groups.items()
            for way in ("up", "down")
        }
        self._edge_operations: Known = {}
        self._foundation_operations: Known = {}
        torch.manual_seed(scenario.seed)  # for layers that draw, such as dropout in training
        names = {
            DeviceName(f"{group}-{index}", group): settings
            for group, settings in scenario.groups.items()
            for index in range(settings.count)
        }
        self._names = list(names)
        self._deploy()
        agent = self.strategy.cloud
        self.devices = {name.name: self._device(name, group) for name, group in names.items()}
        self.downlinks = {device.name.name: self._link(device, "down") for device in self.devices.values()}
        self.cloud: Cloud | None = None
        if agent is not None:
            members: dict[str, list[str]] = {student: [] for student in self.versions}
            for name in names:
                members[self.strategy.student(name)].append(name.name)
            self.cloud = Cloud(
                self.clock,
                scenario.cloud,
                agent,
                self.executor,
                {device.name.name: device.settings.upload_codec for device in self.devices.values()},
                self.downlinks,
                members,
                self.versions,
                data.shape,
                recorder.updates,
                recorder.cloud,
                self._streams.generator,
            )
        for device in self.devices.values():
            device.uplink = self._link(device, "up")
        self.uplinks = {name: device.uplink for name, device in self.devices.items()}

    def _deploy(self) -> None:
        """Build the strategy from the deployed models."""
        self.strategy = self.settings.build(self._laboratory())
        learns = self.strategy.cloud is not None
        self.versions = {self.strategy.student(name): VersionLog() for name in self._names} if learns else {}

    def _reset(self) -> None:
        """Let every device and the cloud begin anew from the deployed models."""
        self.executor.finish_steps()  # they draw from the random numbers that loading a model draws from
        self._deploy()
        for device in self.devices.values():
            versions = self.versions.get(self.strategy.student(device.name))
            device.begin_anew(self.strategy.edge(device.name), versions)
        if self.cloud is not None and self.strategy.cloud is not None:
            self.cloud.begin_anew(self.strategy.cloud, self.versions)

    def run(self, report: Callable[[Progress], None] | None = None, slices: int | None = None) -> None:
        """Let time pass until the scenario's end, reporting after each slice of it.

        By default there are 500, and fewer in a large fleet.
        """
        for (
            time
        ) in self.scenario.resets_s:  # the first events of their moments: what else happens then comes after
            self.clock.call_at(nanoseconds(time), self._reset)
        if self.cloud is not None:
            self.cloud.start()
        for device in self.devices.values():
            device.start()
        slices = slices or max(20, min(500, REPORTED_DEVICES // len(self.devices)))
        for number in range(1, slices + 1):
            until = self.end * number // slices
            if until > self.clock.time:
                self.clock.run(until=until)
            if number == slices:
                self.conclusions.settle()
            if report is not None:
                report(self.progress())

    def progress(self) -> Progress:
        """Return how far the run has come."""
        counts = [device.counts for device in self.devices.values()]
        predicted = sum(count.predicted for count in counts)
        known = predicted - self.conclusions.samples
        return Progress(
            seconds(self.clock.time),
            predicted,
            sum(count.correct for count in counts) / known if known else float("nan"),
            sum(link.ledger.sent for link in self.uplinks.values()),
            sum(link.ledger.sent for link in self.downlinks.values()),
        )

    @property
    def damaged(self) -> dict[str, str]:
        """Images that could not be read, by path, each with the reason."""
        return {path: why for device in self.devices.values() for path, why in device.damaged.items()}

    def finish(self) -> None:
        """Record what is unfinished, and the account of each device."""
        self.conclusions.close()
        if self.cloud is not None:
            self.cloud.finish()
        for name, device in self.devices.items():
            device.finish()
            ledgers: dict[str, int] = {}
            for way, link in (("up", self.uplinks[name]), ("down", self.downlinks[name])):
                for transfer in link.unfinished:
                    link.observe(transfer)
                ledgers |= {f"{way}link_{state}_bytes": value for state, value in vars(link.ledger).items()}
            counts = {f"samples_{state}": value for state, value in asdict(device.counts).items()}
            self.recorder.devices.add(
                device=name,
                group=device.name.group,
                student=self.strategy.student(device.name),
                version=device.agent.version,
                busy_s=seconds(device.busy),
                flops=device.flops,
                samples_refused=0 if self.cloud is None else self.cloud.refused[name],
                samples_lost_by_cloud=0 if self.cloud is None else self.cloud.lost[name],
                **counts,
                **ledgers,
            )

    def _laboratory(self) -> Laboratory:
        models, data = self.scenario.models, self.data

        def load_edge() -> LoadedModel:
            return replace(fit(models.edge.load(), data), operations=self._edge_operations)

        def load_foundation() -> LoadedModel:
            assert models.foundation is not None  # the schema asks for one where it is needed
            return replace(fit(models.foundation.load(), data), operations=self._foundation_operations)

        source = load_edge()
        edge = AdaptableModel(source.network, self.executor.device)

        return Laboratory(
            executor=self.executor,
            edge=edge,
            edge_source=source,
            edge_flops=forward_flops(edge, source.preparation.shape_of(data.shape), source.operations),
            source_state=edge.read(),
            load_edge=load_edge,
            load_foundation=load_foundation,
            image_shape=data.shape,
            devices=self._names,
            generator=self._streams.generator,
            clean_images=self._clean_images,
        )

    def _clean_images(self, count: int) -> NDArray[np.uint8]:
        """Draw images of the data set without a shift, at most as many as there are."""
        generator = self._streams.generator("clean_images")
        indices = generator.permutation(len(self.data.labels))[:count]
        images, _ = rendering.render(self.data, indices, [("none", 0)] * len(indices), generator)
        return images

    def _device(self, name: DeviceName, group: Group) -> Device:
        return Device(
            self.clock,
            name,
            group,
            DeviceStream(name.name, group, self.data, self._streams, self.renderer),
            self.strategy.edge(name),
            self.versions.get(self.strategy.student(name)),
            self.recorder.batches,
            self.conclusions,
        )

    def _link(self, device: Device, way: str) -> Link:
        link = device.settings.link
        return Link(
            self.clock,
            self._directions[device.name.group, way],
            lambda: self._streams.generator(f"{device.name.name}/{way}link"),
            device.receive if way == "down" else self._to_cloud,
            TransferRecorder(
                self.recorder.transfers, self.clock, device.name.name, device.name.group, way
            ).record,
            None if link.cell is None else self._cells[link.cell, way],
        )

    def _to_cloud(self, message: Message) -> None:
        if self.cloud is not None:
            self.cloud.receive(message)


def direction_of(link: LinkSettings, way: str) -> Direction:
    """Return the properties of one direction, `up` or `down`, of a link."""

    def of(name: str) -> float:
        own = getattr(link, f"{way}link_{name}")
        return float(getattr(link, name) if own is None else own)

    return Direction(
        bandwidth_mbps=getattr(link, f"{way}link_mbps"),
        latency_ms=of("latency_ms"),
        jitter_ms=of("jitter_ms"),
        loss=of("loss"),
        packet_bytes=link.packet_bytes,
        header_bytes=link.header_bytes,
    )
