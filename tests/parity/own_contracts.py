"""Contracts of modules that people bring, and what becomes of each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from larnn_service.contract import Channel, Contract, Input, StateTensor, Vocabulary
from larnn_service.outputs import Output, classes
from larnn_service.tensors import ContextTensor, File

ABC = ("A", "B", "C")
LEFT_RIGHT = (Channel(name="left", unit="m"), Channel(name="right", unit="m"))
TOKEN = (Channel(name="token", unit="1"),)


def state(
    name: str, *shape: int, dtype: Any = "float32", initial: float | File = 0.0
) -> StateTensor:
    return StateTensor(name=name, shape=shape, dtype=dtype, initial=initial, description=name)


def told(
    name: str, *shape: int, dtype: Any = "float32", default: float | File | None = None
) -> ContextTensor:
    return ContextTensor(name=name, shape=shape, dtype=dtype, default=default, description=name)


def contract(
    *tensors: StateTensor,
    context: Sequence[ContextTensor] = (),
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
        context=tuple(context),
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
GRU = contract(HIDDEN)
WAVES = [np.random.default_rng(n).random((30 + n, 2)) for n in range(2)]
