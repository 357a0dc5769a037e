"""Uploads: what a device keeps becomes messages, at a quality and within a budget where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from models.codecs._together import encode
from models.criteria._chain import KEPT
from models.entropy import entropy
from models.errors import InputError
from models.ranks import Prediction
from sim.budget import Hopeless
from sim.clock import SECOND, seconds
from sim.messages import Message, pack
from sim.selection import Candidate, Pool, payload_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.codecs import Base as ImageCodec
    from models.strategies._interface import Decision
    from scenarios.fleet import Group
    from sim.budget import Budget
    from sim.device import Counts
    from sim.link import Link
    from sim.world import Batch


class Uploads:
    """What one device sends, and what waits on it for its budget.

    Attributes:
        device: its name.
        counts: its samples; those uploaded, withheld and waiting are counted here.
        link: its uplink.
        budget: what is charged, or None.
        epoch: how many resets came before.
        paused: whether the device is away: all it would send then waits, outside its budget's line, and costs nothing.
        pool: the samples that wait.
        whole: the messages that wait, and must be sent as they are, before the samples.

    """

    __slots__ = (
        "_codecs",
        "_quality",
        "budget",
        "counts",
        "device",
        "epoch",
        "link",
        "paused",
        "pool",
        "whole",
    )

    def __init__(
        self, device: str, settings: Group, counts: Counts, link: Link, budget: Budget | None
    ) -> None:
        self.device = device
        self.counts = counts
        self.link = link
        self.budget = budget
        self.epoch = 0
        self.paused = False
        self.pool = None if budget is None else Pool(budget.settings)
        self.whole: list[Message] = []  # an empty deque would be ten times as large
        self._codecs = settings.upload_codecs
        self._quality = settings.upload_quality
        if self._quality is not None and self._quality.by == "link":
            link.measures_rate = True

    def ask(self, batch: int, images: NDArray[np.uint8]) -> None:
        """Send all images of a batch, uint8 (N, H, W, C), for an answer."""
        asked = list(images)
        codec, quality, contents = self._encode(asked)
        message = self._message(batch, contents, asked if codec.lossless else None, quality)
        self._hand_over(replace(message, asks=True))
        self._settle()

    def offer(self, batch: Batch, images: NDArray[np.uint8], decision: Decision) -> None:
        """Send what is to be sent of a batch, uint8 (N, H, W, C), or as much as the budget allows."""
        if decision.statistics is not None:
            payload = decision.statistics.astype("<f4").tobytes()
            self._hand_over(Message("statistics", self.device, payload, batch=batch.number, epoch=self.epoch))
        places = [place for place, verdict in enumerate(decision.verdicts) if verdict == KEPT]
        if places or decision.announce:
            # Copies: a message that waits for its link must not keep the whole batch in memory.
            kept = [images[place].copy() for place in places]
            if self.pool is None:
                self._send_all(batch.number, kept, places, decision)
            else:
                self._send_some(self.pool, batch, kept, places, decision)
        self._settle()

    def begin_anew(self, epoch: int) -> None:
        """Give up what waits; a device that waits for an answer gets one all the same."""
        self.epoch = epoch
        self._give_up(asking=False, other=True)

    def stop_asking(self) -> None:
        """Give up what waits to be asked for, since nobody waits for the answers any more."""
        self._give_up(asking=True, other=False)

    def forget(self) -> None:
        """Give up all that waits."""
        self._give_up(asking=True, other=True)

    def _give_up(self, *, asking: bool, other: bool) -> None:
        if self.budget is None or self.pool is None:
            return  # nothing waits
        if other:
            self.counts.withheld += len(self.pool)
            self.pool = Pool(self.budget.settings)
        given_up = [message for message in self.whole if (asking if message.asks else other)]
        self.whole = [message for message in self.whole if not (asking if message.asks else other)]
        self.counts.withheld += sum(message.samples for message in given_up)
        self._settle()

    def pause(self) -> None:
        """Let others of a budget's line pass, as long as the device is away."""
        self.paused = True
        self._settle()

    def resume(self) -> None:
        """Send what came meanwhile, or wait at the end of the line again."""
        self.paused = False
        self._proceed_in_turn()
        if self.pool is not None:
            self.counts.withheld += self.pool.trim()
        self._settle()

    def least(self) -> int | None:
        """Return the bytes that the budget must have for what goes next, with headers; None where nothing goes."""
        if self.paused:
            return None
        if self.whole:
            return self._message_bytes(len(self.whole[0].payload))
        if self.pool:
            return self._message_bytes(self.pool.ranked()[0].payload_bytes)
        return None

    def proceed(self) -> bool:
        """Send as much of what waits as the budget has room for, and tell whether that is anything."""
        assert self.budget is not None and self.pool is not None
        sent = False
        while self.whole and self.budget.take(self._message_bytes(len(self.whole[0].payload))):
            self._send(self.whole.pop(0))
            sent = True
        if not self.whole:
            for candidates in self.pool.choose(self.budget.available(), self._message_bytes):
                message = self._message_of(candidates)
                taken = self.budget.take(self._message_bytes(len(message.payload)))
                assert taken, "the messages chosen are more than the budget has"
                self._send(message)
                sent = True
        self._count()
        return sent

    def _send_all(
        self, batch: int, kept: Sequence[NDArray[np.uint8]], places: Sequence[int], decision: Decision
    ) -> None:
        """Send the kept images of a batch in one message."""
        codec, quality, contents = self._encode(kept)
        information = fmean(entropy(decision.logits)[places].tolist()) if places else 0.0
        self._send(self._message(batch, contents, kept if codec.lossless else None, quality, information))

    def _send_some(
        self,
        pool: Pool,
        batch: Batch,
        kept: Sequence[NDArray[np.uint8]],
        places: Sequence[int],
        decision: Decision,
    ) -> None:
        """Let the kept images of a batch join those that wait, send what can be sent, and give up what cannot wait."""
        assert self.budget is not None
        codec, quality, contents = self._encode(kept)
        entropies, probabilities = entropy(decision.logits).tolist(), decision.logits.softmax(1).numpy()
        fitting = 0
        for place, image, content in zip(places, kept, contents, strict=True):
            prediction = Prediction(entropies[place], probabilities[place].copy(), batch.arrival)
            candidate = Candidate(
                batch.number, content, image if codec.lossless else None, quality, prediction
            )
            size = self._message_bytes(candidate.payload_bytes)
            if self.budget.ready_at(size) is None:
                self.counts.withheld += 1
                self.budget.hopeless = self.budget.hopeless.joined(Hopeless(1, size))
            else:
                pool.candidates.append(candidate)
                fitting += 1
        self._proceed_in_turn()
        if decision.announce and pool.of(batch.number) == fitting:  # nothing of it was sent
            self._hand_over(self._message(batch.number, [], [], quality))
        if not self.paused or self.budget.settings.excess != "drop":  # else its return tells whether it fits
            self.counts.withheld += pool.trim()

    def _hand_over(self, message: Message) -> None:
        """Send a message as it is, or let it wait; InputError where it would wait for ever."""
        if self.budget is None:
            self._send(message)
            return
        size = self._message_bytes(len(message.payload))
        if problems := self.budget.too_small_for(size, message.kind):
            raise InputError("\n".join(f"{problem} ({self.device})" for problem in problems))
        self.whole.append(message)
        self._proceed_in_turn()

    def _proceed_in_turn(self) -> None:
        if self.budget is not None and not self.paused:
            self.budget.give_turn(self)

    def _settle(self) -> None:
        """Count what waits now, and tell the budget."""
        if self.budget is not None:
            self._count()
            self.budget.attend(self)

    def _count(self) -> None:
        waiting = 0 if self.pool is None else len(self.pool)
        self.counts.waiting = waiting + sum(message.samples for message in self.whole)

    def _encode(self, images: Sequence[NDArray[np.uint8]]) -> tuple[ImageCodec, int | None, list[bytes]]:
        """Encode images at the best level of quality that is good enough, or else at the last; return both."""
        if self._quality is None:
            return self._codecs[0], None, encode(self._codecs[0], images)
        level, contents = 0, []
        for level, codec in enumerate(self._codecs):
            contents = encode(codec, images)
            if self._is_good_enough(self._message_bytes(payload_bytes(contents, level))):
                break
        return self._codecs[level], level, contents

    def _is_good_enough(self, size: int) -> bool:
        """Tell whether a message of so many bytes with its headers passes what the level of quality follows."""
        assert self._quality is not None
        if self._quality.by == "link":
            assert self._quality.target_s is not None
            return backlog_s(self.link, size) <= self._quality.target_s
        assert self.budget is not None
        return self.budget.is_open_to(self) and size <= self.budget.available() - self._waiting_bytes()

    def _waiting_bytes(self) -> int:
        """Return the bytes of all that waits, with headers."""
        payloads = [len(message.payload) for message in self.whole]
        payloads += [] if self.pool is None else self.pool.payloads()
        return sum(map(self._message_bytes, payloads))

    def _message_bytes(self, payload: int) -> int:
        return self.link.direction.message_bytes(payload)

    def _message_of(self, candidates: Sequence[Candidate]) -> Message:
        """Return the message of candidates of one batch, all encoded alike."""
        first = candidates[0]
        images = [candidate.image for candidate in candidates if candidate.image is not None]
        return self._message(
            first.batch,
            [candidate.content for candidate in candidates],
            images if first.image is not None else None,
            first.quality,
            fmean(candidate.prediction.entropy for candidate in candidates),
        )

    def _message(
        self,
        batch: int,
        contents: Sequence[bytes],
        images: Sequence[NDArray[np.uint8]] | None,
        quality: int | None,
        information: float = 0.0,
    ) -> Message:
        return Message(
            "samples",
            self.device,
            pack(contents, quality),
            len(contents),
            batch=batch,
            images=images,
            epoch=self.epoch,
            information=information,
            quality=quality,
        )

    def _send(self, message: Message) -> None:
        self.counts.uploaded += message.samples
        self.link.send(len(message.payload), message)


def backlog_s(link: Link, extra_bytes: int) -> float:
    """Return how long a link is expected to take for what it has not sent yet and `extra_bytes` more, in seconds.

    The rate is that of the last message that has arrived. Of a message that is being sent, what is left is what its
    time since the start has not covered at that rate.
    """
    rate = link.rate
    if rate is None:
        return 0.0
    now, bits = link.clock.time, 8 * extra_bytes
    for transfer in link.unfinished:
        if transfer.sent_at is not None and transfer.sent_at <= now:
            continue
        started = transfer.start_at
        elapsed = now - started if started is not None and started < now else 0
        bits += max(0, 8 * transfer.wire_bytes - elapsed * rate // SECOND)
    return seconds(bits * SECOND // rate)
