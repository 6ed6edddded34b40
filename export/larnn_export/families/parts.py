"""Small parts that families share: normalisation, positional encoding, the state's motion."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from larnn_service.contract import StateTensor

EPSILON = 1e-5
"""What layer norm adds to a variance."""


def filled_slots(window_size: int) -> StateTensor:
    """The state tensor that counts a queue's slots in use."""
    return StateTensor(
        name="filled",
        shape=(),
        dtype="int64",
        maximum=window_size,
        description="slots of the queue in use",
    )


def normalisation(kind: str, size: int) -> nn.Module:
    """A norm over the last axis of [..., size].

    Batch norm keeps one set of statistics for all time steps: per-step statistics would end with
    the training length, and a stream does not.
    """
    if kind == "layer":
        return nn.LayerNorm(size, eps=EPSILON)
    if kind == "batch":
        return BatchNorm(size)
    return nn.Identity()


class BatchNorm(nn.BatchNorm1d):
    """`nn.BatchNorm1d` for features on the last axis of a tensor of any rank."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.reshape(-1, input.shape[-1])).reshape(input.shape)


def positional_encoding(window_size: int, features: int) -> Tensor:
    """[window_size, features]: sines and cosines of a slot's age, wavelengths 2, 4, 8, … steps.

    Slot k-1 is the newest. Age, rather than time since the start, so that a slot's code does not
    change while the queue fills.
    """
    age = torch.arange(window_size - 1, -1, -1, dtype=torch.float64)[:, None]
    angle = torch.pi * age / 2.0 ** torch.arange(features // 2, dtype=torch.float64)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).float()


def initial_tensors(
    tensors: Iterable[StateTensor], batch: int, device: torch.device
) -> tuple[Tensor, ...]:
    """The state before the first step, each tensor [batch, *shape]."""
    return tuple(torch.from_numpy(tensor.initial_array(batch)).to(device) for tensor in tensors)


def hidden_and_cell(n: int) -> list[StateTensor]:
    """An LSTM's state tensors."""
    return [
        StateTensor(name="hidden", shape=(n,), dtype="float32", description="hidden state"),
        StateTensor(name="cell", shape=(n,), dtype="float32", description="cell state"),
    ]


@torch.no_grad()
def start_gates(recurrent: Tensor, bias: Tensor, longest_memory: int = 0) -> None:
    """Orthogonal weights [4n, n] for each gate i, f, g, o; the forget gate [4n] starts open.

    Coupled gates are f, g, o alone.

    With `longest_memory` in steps each cell starts with a time of its own up to that, and takes in
    as much as it lets go (arXiv 1804.11188, equation 16).
    """
    n = recurrent.shape[1]
    for gate in recurrent.split(n):
        nn.init.orthogonal_(gate)
    bias.zero_()
    *take, keep, _, _ = bias.split(n)
    keep.copy_(log_times(n, longest_memory) if longest_memory else torch.ones(n))
    if longest_memory and take:
        take[0].copy_(-keep)


def log_times(n: int, longest: int) -> Tensor:
    """[n]: the biases of sigmoids that keep for times drawn evenly from 1 to `longest` steps."""
    return torch.empty(n).uniform_(1, max(longest - 1, 1)).log()


def at_length(initial: Tensor, outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The value [batch, n] after `lengths` steps, given [batch, n] and [batch, steps, n].

    Length 0 gives `initial`, None the last step.
    """
    if lengths is None:
        return outputs[:, -1]
    return window_at_length(initial[:, None], outputs, lengths)[:, 0]


def window_at_length(queue: Tensor, entered: Tensor, lengths: Tensor | None) -> Tensor:
    """The queue [batch, k, n] after `lengths` of [batch, steps, n] entered it, newest last."""
    slots = queue.shape[1]
    history = torch.cat([queue, entered], dim=1)
    if lengths is None:
        return history[:, -slots:]
    batch, total, size = history.shape
    row = torch.arange(batch, device=queue.device)[:, None] * total
    slot = lengths[:, None] + torch.arange(slots, device=queue.device)
    flat = history.reshape(-1, size).index_select(0, (row + slot).reshape(-1))
    return flat.reshape(batch, slots, size)
