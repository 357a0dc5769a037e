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
from sim.budget import Budgets
from sim.clock import Clock, nanoseconds, seconds
from sim.cloud import Cloud
from sim.conclusions import Conclusions
from sim.device import Device
from sim.energy import Airtime, energies
from sim.life import absences, history
from sim.link import Link
from sim.messages import Message
from sim.multicast import Audience
from sim.network import Network, channel_name
from sim.outages import Outage, Outages
from sim.streams import RandomStreams
from sim.versions import VersionLog
from sim.world import DeviceStream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.datasets import DataSet
    from models.placement import Placement
    from models.rendering import Renderer
    from models.sources import Base as ModelSource
    from models.sources import LoadedModel
    from models.strategies import Base as StrategySettings
    from models.strategies._interface import EdgeAgent
    from scenarios.fleet import Group
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
        channels: to several devices of a cell together, by name.
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
        self._network = Network(scenario, self.clock, self._streams, recorder.transfers)
        self._airtimes: dict[tuple[str, str], Airtime] = {}
        self._budgets = Budgets(self.clock, scenario.budgets)
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
        self.uplinks: dict[str, Link] = {}
        self.downlinks: dict[str, Link] = {}
        for device in self.devices.values():
            self._connect(device)
        self.channels: dict[str, Link] = {}
        self.cloud: Cloud | None = None
        if agent is not None:
            members: dict[str, list[str]] = {student: [] for student in self.versions}
            for name in self._names:
                members[self.strategy.student(name)].append(name.name)
            receivers, shared = self._receivers()
            self.cloud = Cloud(
                self.clock,
                scenario.cloud,
                agent,
                self.executor,
                {device.name.name: device.settings.upload_codecs for device in self.devices.values()},
                self.downlinks | self.channels,
                members,
                self.versions,
                data.shape,
                recorder.updates,
                recorder.cloud,
                self._streams.generator,
                receivers,
                shared,
                lambda message: self.devices[message.device].give_up_question(message),
            )

    def _receivers(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Return by student the downlinks to its devices, and the channels to those that get versions together.

        And by device the channel that it listens to.
        """
        found: dict[str, list[str]] = {student: [] for student in self.versions}
        shared: dict[str, str] = {}
        together: dict[tuple[str, str], list[Device]] = {}
        for device in self.devices.values():
            student, cell = self.strategy.student(device.name), device.settings.link.cell
            if cell is not None and self.scenario.cells[cell].updates == "multicast":
                together.setdefault((cell, student), []).append(device)
            else:
                found[student].append(device.name.name)
        for (cell, student), devices in together.items():
            channel = channel_name(cell, student)
            links = [device.settings.link for device in devices]
            audience = Audience(self.clock)
            for device, link in zip(devices, links, strict=True):
                name = device.name.name
                shared[name] = channel
                own_outages = self._network.own_outages(name, link)
                airtime = self._airtimes.get((name, "down"))
                audience.add(device, own_outages, airtime, link.acknowledgement_bytes)
            self.channels[channel] = self._network.channel(cell, student, links, audience.receive)
            audience.listen_to(self.channels[channel])
            found[student].append(channel)
        return found, shared

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
            sum(link.ledger.sent for link in (*self.downlinks.values(), *self.channels.values())),
        )

    @property
    def damaged(self) -> dict[str, str]:
        """Images that could not be read, by path, each with the reason."""
        return {path: why for device in self.devices.values() for path, why in device.damaged.items()}

    @property
    def hopeless(self) -> dict[str, dict[str, int]]:
        """The samples that a budget never has room for, by the budget: how many, and the bytes of the smallest."""
        return {name: hopeless._asdict() for name, hopeless in self._budgets.hopeless.items()}

    def finish(self) -> None:
        """Record what is unfinished, and the account of each device."""
        self.conclusions.close()
        if self.cloud is not None:
            self.cloud.finish()
        for channel in self.channels.values():
            for transfer in channel.unfinished:
                channel.observe(transfer)
        for name, device in self.devices.items():
            device.finish()
            ledgers: dict[str, int] = {}
            present, busy = device.presence.present(self.clock.time), device.busy
            for way, link in (("up", self.uplinks[name]), ("down", self.downlinks[name])):
                for transfer in link.unfinished:
                    link.observe(transfer)
                ledgers |= {f"{way}link_{state}_bytes": value for state, value in vars(link.ledger).items()}
            spent = (self._airtimes.get((name, way)) for way in ("up", "down"))
            airtimes = (0 if airtime is None else airtime.total for airtime in spent)
            counts = {f"samples_{state}": value for state, value in asdict(device.counts).items()}
            self.recorder.devices.add(
                device=name,
                group=device.name.group,
                student=self.strategy.student(device.name),
                version=device.agent.version,
                present_s=seconds(present),
                busy_s=seconds(busy),
                flops=device.flops,
                **energies(device.settings.compute, device.settings.link, present, busy, *airtimes),
                samples_refused=0 if self.cloud is None else self.cloud.refused[name],
                samples_lost_by_cloud=0 if self.cloud is None else self.cloud.lost[name],
                **counts,
                **ledgers,
            )

    def _laboratory(self) -> Laboratory:
        models, data = self.scenario.models, self.data

        def load(model: ModelSource, operations: Known) -> LoadedModel:
            arithmetic = self.executor.placement.arithmetic
            return replace(fit(model.load(), data), operations=operations, arithmetic=arithmetic)

        def load_edge() -> LoadedModel:
            return load(models.edge, self._edge_operations)

        def load_foundation() -> LoadedModel:
            assert models.foundation is not None  # the schema asks for one where it is needed
            return load(models.foundation, self._foundation_operations)

        source = load_edge()
        edge = AdaptableModel(source.network, self.executor.device, source.arithmetic)

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
            None if group.life is None else lambda: self._redeploy(name),
            None if group.life is None else history(group.life, self._life(name), self.end),
            self._budgets.of(name.name, name.group, group.budget),
        )

    def _life(self, name: DeviceName) -> Callable[[], np.random.Generator]:
        return lambda: self._streams.generator(f"{name.name}/life")

    def _redeploy(self, name: DeviceName) -> EdgeAgent:
        """Return a fresh agent for one device."""
        self.executor.finish_steps()  # as in `_reset`
        return self.strategy.edge(name)

    def _connect(self, device: Device) -> None:
        """Give a device its links."""
        name, settings = device.name.name, device.settings.link
        life = device.settings.life
        away = None
        if life is not None:
            away = Outages(Outage(*each) for each in absences(life, self._life(device.name), self.end))
        forgets = life is not None and life.state == "lost"
        up, down = self._network.links(
            name, device.name.group, settings, self._to_cloud, device.receive, away, forgets
        )
        device.connect(up, down)
        self.uplinks[name] = up
        self.downlinks[name] = down
        if settings.transmit_w is not None:
            self._airtimes[name, "up"] = Airtime(up)
        if settings.receive_w is not None:
            self._airtimes[name, "down"] = Airtime(down)

    def _to_cloud(self, message: Message) -> None:
        if self.cloud is not None:
            self.cloud.receive(message)
