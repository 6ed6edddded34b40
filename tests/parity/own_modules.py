"""Modules that people bring, and what becomes of each: the table of docs/own-network.md."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from larnn_service.contract import Channel, Contract, Input, StateTensor, Vocabulary
from larnn_service.inputs import Frame
from larnn_service.outputs import Output, classes
from larnn_service.tensors import ContextTensor, File

ABC = ("A", "B", "C")
LEFT_RIGHT = (Channel(name="left", unit="m"), Channel(name="right", unit="m"))
TOKEN = (Channel(name="token", unit="1"),)


def state(
    name: str, *shape: int, dtype: Any = "float32", initial: float | File = 0.0
) -> StateTensor:
    return StateTensor(name=name, shape=shape, dtype=dtype, initial=initial, description=name)


def contract(
    *tensors: StateTensor,
    outputs: Sequence[Output] = classes(ABC),
    channels: int = 2,
    tokens: int | None = None,
) -> Contract:
    numbered = tuple(Channel(name=f"c{i}", unit="1") for i in range(channels))
    return Contract(
        input=Input(channels=TOKEN if tokens else LEFT_RIGHT if channels == 2 else numbered),
        outputs=tuple(outputs),
        sample_rate_hz=None,
        state=tensors,
        vocabulary=Vocabulary(size=tokens) if tokens else None,
    )


def raw(name: str, *shape: int, dtype: Any = "float32") -> Output:
    return Output(name=name, task="raw", shape=shape, dtype=dtype)


@dataclass(frozen=True)
class Kind:
    """A module, its contract, and the text with which it is refused, if it is."""

    what: str
    module: Callable[[], nn.Module]
    contract: Contract
    refused: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.what


Answer = tuple[Tensor, ...]
TOTAL, HIDDEN = state("total", 2), state("hidden", 8)
SUM = contract(TOTAL, outputs=[raw("sum", 2)])


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

    contract = contract(state("smooth", 81), outputs=[raw("spectrum", 81)], channels=160)

    def forward(self, x: Tensor, smooth: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            smooth = 0.9 * smooth + torch.fft.rfft(x[:, step]).abs()
            answers.append(smooth)
        return torch.stack(answers, 1), smooth


class Precise(nn.Module):
    """float64 inside."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.double()

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        logits, hidden = self.inner(x.double(), hidden)
        return logits.float(), hidden


class Half(nn.Module):
    """float16 inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Recurrent().half()

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        logits, hidden = self.inner(x.half(), hidden.half())
        return logits.float(), hidden.float()


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


class SmallState(nn.Module):
    """What it remembers takes a byte or two."""

    def forward(self, x: Tensor, rose: Tensor, sign: Tensor, half: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            now = x[:, step]
            answers.append(torch.cat([rose.float().mean(1, keepdim=True), sign + half.float()], 1))
            rose, sign = now > half.float(), now.sign().to(torch.int8)
            half = (0.5 * half.float() + now).half()
        return torch.stack(answers, 1), rose, sign, half


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


class Remembers(nn.Module):
    """What it remembers is in itself."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        self.calls += 1
        return x + self.calls, total


class InPlace(nn.Module):
    """Writes into its state."""

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            answers.append(total.add_(x[:, step]).clone())
        return torch.stack(answers, 1), total


class OneTensor(nn.Module):
    """Keeps its state to itself."""

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        return x


class Nested(nn.Module):
    """Its state as torch's LSTM gives it."""

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> Any:
        return x, (hidden, cell)


def _by(make: Callable[[Tensor, Tensor], Any]) -> Callable[[], nn.Module]:
    return lambda: By(make)


def _on(device: str) -> nn.Module:
    return Recurrent().to(device)


def _traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; people have such modules still
        traced = torch.jit.trace(Recurrent().eval(), (torch.zeros(2, 1, 2), torch.zeros(2, 8)))
    assert isinstance(traced, nn.Module)
    return traced


def _compiled() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own parts that it imports
        compiled = torch.compile(Recurrent())
    assert isinstance(compiled, nn.Module)
    return compiled


def _never(x: Tensor, sums: Tensor) -> Tensor:
    return -sums if x.abs().max() > 1000 else sums


WAVES = [np.random.default_rng(n).random((30 + n, 2)) for n in range(2)]
GRU = contract(HIDDEN)
SERVED = [
    Kind("LSTM of two layers, its state turned", TwoLSTMs, TwoLSTMs.contract),
    Kind("sum and count, the state int64 and of no axis", MeanSoFar, MeanSoFar.contract),
    Kind("cells in a loop of Python, with batch norm", Cells, GRU),
    Kind(
        "causal convolution, the last steps as state", CausalConvolution, CausalConvolution.contract
    ),
    Kind("attention over a ring of steps", Ring, Ring.contract),
    Kind("embedding of tokens, no tokenizer", Reader, contract(HIDDEN, tokens=20)),
    Kind("several outputs, of any task and type", Several, Several.contract),
    Kind("logits of -inf, masks", Policy, contract(TOTAL)),
    Kind("`torch.cond` with weights", Branch, SUM),
    Kind(
        "state of bool, int8 and float16",
        SmallState,
        contract(
            state("rose", 2, dtype="bool"),
            state("sign", 2, dtype="int8"),
            state("half", 2, dtype="float16"),
        ),
        options={"tolerance": 1e-2},
    ),
    Kind("frame of samples", Loudness, Loudness.contract),
    Kind("`torch.compile`", _compiled, GRU),
    Kind(
        "float64 inside, a cell",
        lambda: Precise(Cells()),
        contract(state("hidden", 8, dtype="float64")),
    ),
    Kind("float16 inside, with a tolerance", Half, GRU, options={"tolerance": 1e-2}),
    Kind(
        "`rfft` of 160 samples, with a tolerance",
        Spectrum,
        Spectrum.contract,
        options={"tolerance": 1e-3},
    ),
    Kind(
        "roots of what is never negative, with samples",
        _by(lambda x, sums: sums.sqrt()),
        SUM,
        options={"samples": WAVES},
    ),
    Kind("no state", Stateless, contract()),
    Kind(
        "its input twice, its state unmoved",
        Constant,
        contract(TOTAL, outputs=[raw("first", 2), raw("second", 2)]),
    ),
]
REFUSED = [
    Kind(
        "state with its layers first",
        LayersFirst,
        contract(state("hidden", 2, 8)),
        r"does not take tensors \[7, 1, 2\], \[7, 2, 8\]: Expected hidden size .* batch first",
    ),
    Kind(
        "answers that depend on later steps",
        _by(lambda x, sums: sums.flip(1)),
        SUM,
        "sum of a sequence differs by .* no later steps yet",
    ),
    Kind(
        "mean over the window",
        _by(lambda x, sums: sums - x.mean(1, keepdim=True)),
        SUM,
        "no later steps yet",
    ),
    Kind(
        "past that is in no state",
        _by(lambda x, sums: x.cumsum(1)),
        SUM,
        "what the module remembers must be in the state",
    ),
    Kind(
        "mean over the batch",
        _by(lambda x, sums: sums - x.mean(0, keepdim=True)),
        SUM,
        "rows must not meet",
    ),
    Kind(
        "`squeeze` of a batch that may be one",
        _by(lambda x, sums: sums[..., :1].squeeze()),
        contract(TOTAL, outputs=[raw("left")]),
        r"left is float32 \[\d+\], not float32 \[",
    ),
    Kind(
        "sampling",
        _by(lambda x, sums: torch.distributions.Categorical(logits=sums).sample()),
        contract(TOTAL, outputs=[raw("action", dtype="int64")]),
        "draws random numbers.* the client draw",
    ),
    Kind(
        "dropout that is always on",
        _by(lambda x, sums: F.dropout(sums, 0.1)),
        SUM,
        "no dropout in evaluation mode",
    ),
    Kind("memory in itself", Remembers, SUM, "when the module is called again"),
    Kind("state written in place", InPlace, SUM, r"writes into total.* total.clone\(\)"),
    Kind(
        "numbers that are not finite",
        _by(lambda x, sums: sums.sqrt()),
        SUM,
        "sum is not finite for normal noise; samples=",
    ),
    Kind(
        "every class masked",
        _by(lambda x, sums: torch.full((*x.shape[:2], 3), -torch.inf)),
        contract(TOTAL),
        "a mask of -inf must leave a class",
    ),
    Kind(
        "numbers that are not finite for zeros",
        _by(lambda x, sums: sums.log()),
        SUM,
        "sum is not finite for zeros, which the service tries before",
        {"samples": WAVES},
    ),
    Kind(
        "one tensor alone",
        OneTensor,
        GRU,
        r"must give \(logits, next_hidden\), each a tensor",
    ),
    Kind(
        "state in a tuple of its own",
        Nested,
        contract(state("hidden", 8), state("cell", 8)),
        r"must give \(logits, next_hidden, next_cell\)",
    ),
    Kind(
        "other shape than the contract's",
        Recurrent,
        contract(HIDDEN, outputs=classes("AB")),
        r"logits is float32 \[7, 1, 3\], not float32 \[7, 1, 2\]",
    ),
    Kind(
        "other type than the contract's",
        MeanSoFar,
        contract(state("count", dtype="int64"), state("total", 2, dtype="int64")),
        r"next_total is float32 \[7, 2\], not int64 \[7, 2\]",
    ),
    Kind(
        "`.half()`",
        lambda: Recurrent().half(),
        GRU,
        r"its weights are float16 and steps come as float32: publish module.float\(\)",
    ),
    Kind(
        "`.double()`",
        lambda: Recurrent().double(),
        contract(state("hidden", 8, dtype="float64")),
        r"its weights are float64 and steps come as float32",
    ),
    Kind(
        "embedding of what the contract calls numbers",
        Reader,
        contract(HIDDEN, channels=1),
        r"where steps are tokens the contract has a vocabulary",
    ),
    Kind(
        "more tokens than the embedding has",
        Reader,
        contract(HIDDEN, tokens=21),
        "index out of range in self; x holds tokens from 0 to 20",
    ),
    Kind(
        "context",
        Recurrent,
        GRU.model_copy(
            update={
                "context": (
                    ContextTensor(name="speaker", shape=(4,), dtype="float32", description="voice"),
                )
            }
        ),
        "modules take no context: let speaker be a buffer, or a channel",
    ),
    Kind(
        "state of bfloat16",
        Recurrent,
        contract(state("hidden", 8, dtype="bfloat16")),
        "hidden: numpy knows no bfloat16; let it be float32",
    ),
    Kind(
        "initial state from a file",
        Recurrent,
        contract(state("hidden", 8, initial=File(file="start.npy", sha256="0" * 64))),
        "hidden: a module starts from a number, not from a file",
    ),
    Kind("another device", lambda: _on("meta"), GRU, r"is on meta: publish module.cpu\(\)"),
    Kind("TorchScript", _traced, GRU, "publish what it was made of"),
    Kind(
        "a Python `if` on numbers",
        _by(_never),
        SUM,
        "torch cannot export the module: Could not guard on data-dependent expression",
    ),
    Kind(
        "operator that ONNX lacks",
        _by(lambda x, sums: torch.linalg.svdvals(sums[..., None])),
        contract(TOTAL, outputs=[raw("values", 1)]),
        "torch cannot export the module: No ONNX function found for",
    ),
    Kind(
        "GRU in float64",
        lambda: Precise(Recurrent()),
        contract(state("hidden", 8, dtype="float64")),
        "onnxruntime cannot run the graph: GRU operator does not support double",
    ),
    Kind("`rfft` of 160 samples", Spectrum, Spectrum.contract, "differs by .* tolerance= allows"),
    Kind(
        "samples of other channels",
        Recurrent,
        GRU,
        r"samples\[1\] is an array \[30, 3\], not \[steps, 2\]",
        {"samples": [WAVES[0], np.zeros((30, 3))]},
    ),
    Kind(
        "samples that are not finite",
        Recurrent,
        GRU,
        "samples has numbers that are not finite",
        {"samples": np.full((5, 2), np.nan)},
    ),
    Kind(
        "samples that are no tokens",
        Reader,
        contract(HIDDEN, tokens=20),
        "samples must be tokens, whole numbers from 0 to 19",
        {"samples": [[20]]},
    ),
]
