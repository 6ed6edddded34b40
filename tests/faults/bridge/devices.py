"""What devices send, what is answered to each of their messages, and whether all of it is right."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.faults.kill.witness import CLOSE
from tests.faults.recordings import Floats


class Devices:
    """Each sends its signal [steps, channels] in messages of `chunk` steps, numbered from 1."""

    def __init__(self, signals: Floats, chunk: int) -> None:
        self.signals = signals
        self.chunk = chunk
        self.messages = int(signals.shape[1]) // chunk
        """Of each device."""
        self.sent: dict[tuple[int, int], float] = {}
        self.heard: dict[tuple[int, int], list[tuple[float, dict[str, Any]]]] = defaultdict(list)
        """By device and offset: the broker keeps a device's messages in their order."""

    @property
    def total(self) -> int:
        """Messages of all devices."""
        return len(self.signals) * self.messages

    def body(self, device: int, number: int) -> bytes:
        """A message; it is sent now."""
        steps = self.signals[device, (number - 1) * self.chunk : number * self.chunk]
        self.sent[device, number] = time.perf_counter()
        return json.dumps({"n": number, "steps": steps.tolist()}).encode()

    def take(self, told: dict[str, Any]) -> None:
        """An answer; it came now."""
        device = int(told["key"].rpartition("-")[2])
        self.heard[device, told["offset"]].append((time.perf_counter(), told))

    @property
    def answered(self) -> dict[tuple[int, int], list[tuple[float, dict[str, Any]]]]:
        """By device and number of the message: the answer that has the least offset is the first's,
        and so on. Where one is lost, those behind it are taken for others, and are wrong."""
        found, numbers = {}, Counter[int]()
        for (device, _), heard in sorted(self.heard.items()):
            numbers[device] += 1
            found[device, numbers[device]] = heard
        return found

    def latencies(self) -> list[float]:
        """Seconds from publishing a message to its first answer."""
        heard = self.answered.items()
        return [told[0][0] - self.sent[key] for key, told in heard if key in self.sent]


@dataclass(frozen=True)
class Verdict:
    """What must be zero, and how often an answer came again as it was."""

    messages: int
    lost: int
    """Messages without an answer."""
    twice: int
    """Messages whose steps were counted twice, or not at all: the position is another."""
    different: int
    """Messages with other logits than in the uninterrupted run."""
    apart: float
    """The greatest difference, in units of max(1, |logit|)."""
    errors: int
    answers_again: int
    """Answers that came a second time, with the same offset and position."""

    @property
    def holds(self) -> bool:
        return not (self.lost or self.twice or self.different or self.errors)


def verdict(devices: Devices, truth: list[Floats]) -> Verdict:
    """`truth`: the logits [steps, classes] of each device's uninterrupted run."""
    twice = different = errors = again = 0
    apart = 0.0
    for (device, number), heard in devices.answered.items():
        again += len(heard) - 1
        if number > devices.messages:
            twice += 1  # a message that came twice was counted twice
            continue
        for _, told in heard:
            if "error" in told:
                errors += 1
                continue
            end = number * devices.chunk
            twice += told["position"] != end
            right = truth[device][end - 1]
            error = np.abs(np.array(told["logits"]) - right) / np.maximum(1, np.abs(right))
            different += bool((error > CLOSE).any())
            apart = max(apart, float(error.max()))
    lost = max(devices.total - len(devices.heard), 0)
    return Verdict(devices.total, lost, twice, different, apart, errors, again)
