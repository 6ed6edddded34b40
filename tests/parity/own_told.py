"""Modules that are told something once, and what becomes of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from larnn_service.tensors import File
from tests.parity.own_contracts import HIDDEN, TOTAL, Answer, Kind, contract, raw, told
from tests.parity.own_modules import Recurrent

SPEAKER, MACHINE = told("speaker", 4), told("machine", dtype="int64", default=0)
VOICE = contract(HIDDEN, context=[SPEAKER])
KIND = contract(TOTAL, context=[MACHINE], outputs=[raw("sum", 2)])


class Listener(nn.Module):
    """Hears one voice: a vector beside each step."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Recurrent(2 + 4)

    def forward(self, x: Tensor, hidden: Tensor, speaker: Tensor) -> Answer:
        beside = speaker[:, None].expand(-1, x.shape[1], -1)
        given: Answer = self.inner(torch.cat([x, beside], 2), hidden)
        return given


class Machine(nn.Module):
    """A scale and a shift for each type of machine."""

    def __init__(self, types: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(types, 2)

    def forward(self, x: Tensor, total: Tensor, machine: Tensor) -> Answer:
        sums = total[:, None] + (x * self.embedding(machine)[:, None]).cumsum(1)
        return sums, sums[:, -1]


class Prompted(nn.Module):
    """Looks at what it was told, under a mask, at each step."""

    contract = contract(
        TOTAL,
        context=[told("prompt", 5, 2), told("used", 5, dtype="bool", default=1)],
        outputs=[raw("seen", 2)],
    )

    def forward(self, x: Tensor, total: Tensor, prompt: Tensor, used: Tensor) -> Answer:
        sums = total[:, None] + x.cumsum(1)
        scores = torch.where(used[:, None], sums @ prompt.transpose(1, 2), -1e9)
        return scores.softmax(2) @ prompt, sums[:, -1]


class Scaled(nn.Module):
    """Numbers of several types, one of which makes no difference, and no state."""

    contract = contract(
        context=[
            told("rate", dtype="int32", default=16_000),
            told("gain", dtype="float16", default=1.5),
            told("offset", 3, dtype="float64", default=-1),
            told("unused", 2, dtype="uint8"),
        ],
    )

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(
        self, x: Tensor, rate: Tensor, gain: Tensor, offset: Tensor, unused: Tensor
    ) -> Answer:
        factor = gain.float() * torch.where(rate == 16_000, 1.0, 2.0)
        return ((self.layer(x) * factor[:, None, None] + offset[:, None]).float(),)


class Told(nn.Module):
    """A sum so far, and what a function makes of it and of the machine's type."""

    def __init__(self, make: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self._make = make

    def forward(self, x: Tensor, total: Tensor, machine: Tensor) -> Answer:
        sums = total[:, None] + x.cumsum(1)
        return self._make(sums, machine), sums[:, -1]


class GivesItBack(Listener):
    """As if what it is told were state."""

    def forward(self, x: Tensor, hidden: Tensor, speaker: Tensor) -> Answer:
        return (*super().forward(x, hidden, speaker), speaker)


def by(make: Callable[[Tensor, Tensor], Any]) -> Callable[[], nn.Module]:
    return lambda: Told(make)


SERVED = [
    Kind("context, a speaker's vector", Listener, VOICE),
    Kind("context, a machine's type, embedded", Machine, KIND),
    Kind("context that it looks at, and a mask of it", Prompted, Prompted.contract),
    Kind("context of other types, no state", Scaled, Scaled.contract),
    Kind(
        "context that noise is none of, with values",
        by(lambda sums, machine: sums / machine[:, None, None].float().log2()),
        contract(
            TOTAL, context=[told("machine", dtype="int64", default=8)], outputs=[raw("sum", 2)]
        ),
        options={"context": {"machine": [4, 8, 16]}},
    ),
]
REFUSED = [
    Kind(
        "context that it does not take",
        Recurrent,
        VOICE,
        r"does not take tensors .* but 4 were given; context comes behind the state",
    ),
    Kind(
        "context given back",
        GivesItBack,
        VOICE,
        r"must give \(logits, next_hidden\), each a tensor: context is not given back",
    ),
    Kind(
        "context of the first row for all",
        by(lambda sums, machine: sums * machine[0]),
        KIND,
        "rows must not meet",
    ),
    Kind(
        "context written in place",
        by(lambda sums, machine: sums * machine.add_(1)[:, None, None]),
        KIND,
        r"writes into machine.* machine.clone\(\)",
    ),
    Kind(
        "a Python `if` on context",
        by(lambda sums, machine: sums if machine.max() > 0 else -sums),
        KIND,
        "rows must not meet",
    ),
    Kind(
        "context beyond its embedding",
        lambda: Machine(1),
        KIND,
        "index out of range in self; .* context= has values that the module is made for",
    ),
    Kind(
        "context that zeros are none of",
        by(lambda sums, machine: sums / machine[:, None, None].float()),
        KIND,
        "sum is not finite for zeros, which the service tries before",
        {"context": {"machine": [1, 2]}},
    ),
    Kind(
        "default from a file",
        Listener,
        contract(
            HIDDEN, context=[told("speaker", 4, default=File(file="all.npy", sha256="0" * 64))]
        ),
        "speaker: a module's default is a number, or None",
    ),
    Kind(
        "values of no context",
        Listener,
        VOICE,
        r"context=\{'voice': …\} is no context of the contract: it has speaker",
        {"context": {"voice": np.zeros((3, 4))}},
    ),
    Kind(
        "one value in place of several",
        Listener,
        VOICE,
        r"context=\{'speaker': …\} is an array \[4\], not \[n, 4\]",
        {"context": {"speaker": np.zeros(4)}},
    ),
    Kind(
        "values of another type",
        Machine,
        KIND,
        r"context=\{'machine': …\} has a number that is no finite int64",
        {"context": {"machine": [0, 0.5]}},
    ),
]
