"""Modules that people bring: see `own_served` and `own_refused` for what becomes of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from larnn_service.contract import Contract, Input
from larnn_service.inputs import Frame
from larnn_service.outputs import Output
from tests.parity.own_contracts import (
    LEFT_RIGHT,
    TOTAL,
    Answer,
    contract,
    raw,
    state,
)


class Recurrent(nn.Module):
    """A GRU and an output layer."""

    def __init__(self, channels: int = 2, layers: int = 1) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, 8, layers, batch_first=True)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        outputs, last = self.gru(x, hidden.unsqueeze(0))
        return self.output(outputs), last.squeeze(0)


class LayersFirst(Recurrent):
    """Two layers, whose state is taken as torch has it."""

    def __init__(self) -> None:
        super().__init__(layers=2)

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        outputs, last = self.gru(x, hidden)
        return self.output(outputs), last


class TwoLSTMs(nn.Module):
    """Its state has layers, which torch wants before the batch."""

    contract = contract(state("hidden", 2, 8), state("cell", 2, 8))

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 8, num_layers=2, batch_first=True, dropout=0.5)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> Answer:
        before = (hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous())
        outputs, (hidden, cell) = self.lstm(x, before)
        return self.output(outputs), hidden.transpose(0, 1), cell.transpose(0, 1)


class MeanSoFar(nn.Module):
    """A sum and a count: no parameters, an integer and a scalar of state."""

    contract = contract(state("count", dtype="int64"), state("total", 2, initial=0.5))

    def forward(self, x: Tensor, count: Tensor, total: Tensor) -> Answer:
        totals = total[:, None] + x.cumsum(1)
        counts = count[:, None] + torch.arange(1, x.shape[1] + 1)
        logits = torch.cat([totals / counts[..., None], counts[..., None].float() / 100], dim=2)
        return logits, counts[:, -1], totals[:, -1]


class Cells(nn.Module):
    """A cell, a loop of Python around it, and batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.cell = nn.BatchNorm1d(2), nn.GRUCell(2, 8)
        self.norm.running_mean = torch.tensor([0.5, -0.5])
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            hidden = self.cell(self.norm(x[:, step]), hidden)
            answers.append(self.output(hidden))
        return torch.stack(answers, 1), hidden


class CausalConvolution(nn.Module):
    """The last steps are its state, under three axes."""

    contract = contract(state("past", 1, 2, 4))

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(2, 3, kernel_size=5)

    def forward(self, x: Tensor, past: Tensor) -> Answer:
        whole = torch.cat([past[:, 0], x.transpose(1, 2)], dim=2)
        return self.convolution(whole).transpose(1, 2), whole[:, None, :, -4:]


class Ring(nn.Module):
    """Attention over a ring of the last steps, written where a counter says."""

    contract = contract(state("ring", 5, 3), state("count", dtype="int64"))

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(2, 3)

    def forward(self, x: Tensor, ring: Tensor, count: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            value = self.project(x[:, step])
            here = (torch.arange(5) == (count % 5)[:, None])[..., None]
            ring = torch.where(here, value[:, None], ring)
            weights = torch.einsum("bkd,bd->bk", ring, value).softmax(dim=1)
            answers.append(torch.einsum("bk,bkd->bd", weights, ring))
            count = count + 1
        return torch.stack(answers, 1), ring, count


class Reader(nn.Module):
    """Tokens, by an embedding."""

    def __init__(self, tokens: int = 20) -> None:
        super().__init__()
        self.embedding, self.rest = nn.Embedding(tokens, 4), Recurrent(4)

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        given: Answer = self.rest(self.embedding(x.squeeze(2)), hidden)
        return given


class Several(nn.Module):
    """Outputs of every task but classes, and of five types."""

    contract = contract(
        TOTAL,
        outputs=[
            Output(name="height", task="values", values=LEFT_RIGHT),
            Output(name="tags", task="tags", labels=("UP", "DOWN")),
            Output(name="chance", task="probability", labels=("UP",), dtype="float64"),
            raw("half", 2, dtype="float16"),
            raw("rises", dtype="bool"),
            raw("which", dtype="int64"),
            raw("frame", 2, 3, dtype="int8"),
        ],
    )

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        sums = total[:, None] + x.cumsum(1)
        chance = sums[..., :1].double().sigmoid()
        frame = (sums.sign()[..., None] * torch.arange(3)).to(torch.int8)
        rises, which = x[..., 0] > 0, sums.argmax(2)
        return sums, 2 * sums, chance, sums.half(), rises, which, frame, sums[:, -1]


class Policy(nn.Module):
    """What cannot be done is masked."""

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        sums = total[:, None] + x.cumsum(1)
        masked = torch.where(sums > 0, sums, -torch.inf)
        return torch.cat([masked, torch.ones_like(x[..., :1])], 2), sums[:, -1]


class Branch(nn.Module):
    """A branch of the graph, with weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(2, 2), nn.Parameter(torch.tensor([2.0, 3.0]))

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        y = torch.cond(
            self.scale.sum() > 0,
            lambda x: self.layer(x) * self.scale,
            lambda x: x - self.scale,
            (x,),
        )
        sums = total[:, None] + y.cumsum(1)
        return sums, sums[:, -1]


class Spectrum(nn.Module):
    """The spectrum of a frame, smoothed."""

    def forward(self, x: Tensor, smooth: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            smooth = 0.9 * smooth + torch.fft.rfft(x[:, step]).abs()
            answers.append(smooth)
        return torch.stack(answers, 1), smooth


class Brief(nn.Module):
    """Its state, a smoothed step, is bfloat16, and it reckons in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(2, 3)

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            total = (0.5 * total.float() + x[:, step]).bfloat16()
            answers.append(self.output(total.float()))
        return torch.stack(answers, 1), total


def spectrum(samples: int) -> Contract:
    """What `Spectrum` answers to frames of so many."""
    size = samples // 2 + 1
    return contract(state("smooth", size), outputs=[raw("spectrum", size)], channels=samples)


class By(nn.Module):
    """A sum so far, and what a function makes of it and of the steps."""

    def __init__(self, make: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self._make = make

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        sums = total[:, None] + x.cumsum(1)
        return self._make(x, sums), sums[:, -1]


class Stateless(nn.Module):
    """Each step by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Answer:
        return (self.layer(x),)


class Constant(nn.Module):
    """Gives its input, twice, and leaves its state as it is."""

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        return x, x, total


class Loudness(nn.Module):
    """Of each frame of sound, smoothed."""

    contract = Contract(
        input=Input(frame=Frame(samples=32, unit="1", sample_rate_hz=16_000, int16_scale=2**-15)),
        outputs=(raw("loudness", 1),),
        sample_rate_hz=500,
        state=(state("smooth", 1),),
    )

    def forward(self, x: Tensor, smooth: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            smooth = 0.9 * smooth + x[:, step].square().mean(1, keepdim=True)
            answers.append(smooth)
        return torch.stack(answers, 1), smooth


def by(make: Callable[[Tensor, Tensor], Any]) -> Callable[[], nn.Module]:
    return lambda: By(make)
