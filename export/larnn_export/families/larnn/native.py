"""The LARNN layer's loop over time in the native library, with its backward pass, for training.

Several times as fast as autograd through the plain loop, with which a test compares it. It needs
the package larnn-kernels (`make kernels`), float32 on a processor, no norm, and heads that divide a
vector of the processor.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor

TILE_ROWS = 8
POINTERS = (
    "filled",
    "recurrent",
    "attention",
    "output",
    "output_bias",
    "pair",
    "pair_bias",
    "positions",
    "from_x",
    "hiddens",
    "cells",
    "keys",
    "values",
    "query",
    "attended",
    "projected",
    "gates",
    "weights",
    "d_hiddens",
    "d_cells",
    "d_keys",
    "d_values",
    "d_from_x",
    "d_projected",
    "d_pair",
    "d_positions",
)
SIZES = ("rows", "steps", "n", "heads", "window_size", "activate")
INPUTS = (
    "from_x",
    "filled",
    "hidden",
    "cell",
    "keys",
    "values",
    "recurrent",
    "attention",
    "output",
    "output_bias",
    "pair",
    "pair_bias",
    "positions",
)
"""The tensors that LARNNNative takes, in their order."""


class _Training(ctypes.Structure):
    """`larnn::Training`, kernels/src/training.h."""

    _fields_ = [(name, ctypes.c_int32) for name in SIZES] + [
        (name, ctypes.c_void_p) for name in POINTERS
    ]


@cache
def library() -> ctypes.CDLL | None:
    """None where no larnn-kernels that trains is installed."""
    try:
        import larnn_kernels
    except ImportError:
        return None
    loaded = ctypes.CDLL(larnn_kernels.LIBRARY)
    if not hasattr(loaded, "larnn_training_run"):  # one from before it could train
        return None
    loaded.larnn_training_run.restype = ctypes.c_char_p
    loaded.larnn_training_run.argtypes = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
    return loaded


def lanes() -> int:
    """Floats in a vector of the level that runs here, 0 without the library."""
    loaded = library()
    return loaded.larnn_training_lanes() if loaded else 0


def runs_native(heads: int, like: Tensor) -> bool:
    """Whether these heads and tensors can go the native way."""
    if like.dtype != torch.float32 or like.device.type != "cpu":
        return False
    return (floats := lanes()) > 0 and floats % heads == 0


class LARNNNative(torch.autograd.Function):
    """(heads, activate, INPUTS) → hidden and cell states, keys and values, the initial ones first.

    Shapes: from_x [batch, steps, 5n], what the input adds to query and gates; filled [batch];
    hidden, cell [batch, n]; keys, values [batch, k, n]; recurrent [5n, n], of query and gates;
    attention [4n, n]; output [n, n], its bias [n]; pair [2n, n], of key and value, its bias [2n];
    positions [k, 2n], what a slot adds to them, or None. Queries, keys and values have heads
    innermost. `activate`: ELU on keys and values. Returned: [batch, steps + 1, n] twice and
    [batch, k + steps, n] twice; with positions the queue is before ELU.
    """

    @staticmethod
    def forward(ctx: Any, heads: int, activate: bool, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = {n: t for n, t in zip(INPUTS, inputs, strict=True) if t is not None}
        initial = {name: given.pop(name) for name in ("hidden", "cell", "keys", "values")}
        batch, steps = given["from_x"].shape[:2]
        n, k = initial["hidden"].shape[1], initial["keys"].shape[1]
        sizes = {"rows": batch, "steps": steps, "n": n, "heads": heads, "window_size": k}
        sizes["activate"] = int(activate)
        new = given["from_x"].new_empty
        states = {
            "hiddens": _after(initial["hidden"][:, None], steps),
            "cells": _after(initial["cell"][:, None], steps),
            "keys": _after(_whole_vectors(initial["keys"]), steps),
            "values": _after(_whole_vectors(initial["values"]), steps),
        }
        kept = {
            "query": new(batch, steps, n),
            "attended": new(batch, steps, n),
            "projected": new(batch, steps, n),
            "gates": new(batch, steps, 4 * n),
            "weights": new(batch, steps, k, lanes()),
        }
        tensors = {
            name: tensor.detach().contiguous() for name, tensor in (given | states | kept).items()
        }
        _run(sizes, tensors, back=False)
        ctx.sizes, ctx.tensors = sizes, tensors
        return tuple(tensors[name][..., :n] for name in states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sizes, kept = ctx.sizes, ctx.tensors
        ctx.tensors = None
        batch, steps, n, k = (sizes[name] for name in ("rows", "steps", "n", "window_size"))
        new = kept["from_x"].new_empty
        tensors = {
            "d_hiddens": grads[0].clone(memory_format=torch.contiguous_format),
            "d_cells": grads[1].clone(memory_format=torch.contiguous_format),
            "d_keys": _whole_vectors(grads[2]),
            "d_values": _whole_vectors(grads[3]),
            "d_from_x": new(batch, steps, 5 * n),
            "d_projected": new(batch, steps, n),
            "d_pair": new(batch, steps, 2 * n),
        }
        if "positions" in kept:
            tensors["d_positions"] = kept["positions"].new_zeros(
                -(-batch // TILE_ROWS), *kept["positions"].shape
            )
        _run(sizes, {**kept, **tensors}, back=True)
        of_x, of_projected, of_pair = (
            tensors[name].flatten(0, 1) for name in ("d_from_x", "d_projected", "d_pair")
        )
        before, cells = kept["hiddens"][:, :-1].flatten(0, 1), kept["cells"][:, 1:].flatten(0, 1)
        gradients = {
            "from_x": tensors["d_from_x"],
            "hidden": tensors["d_hiddens"][:, 0],
            "cell": tensors["d_cells"][:, 0],
            "keys": tensors["d_keys"][:, :k, :n],
            "values": tensors["d_values"][:, :k, :n],
            "recurrent": of_x.t() @ before,
            "attention": of_x[:, n:].t() @ kept["projected"].flatten(0, 1),
            "output": of_projected.t() @ kept["attended"].flatten(0, 1),
            "output_bias": of_projected.sum(0),
            "pair": of_pair.t() @ cells,
            "pair_bias": of_pair.sum(0),
        }
        if "positions" in kept:
            gradients["positions"] = tensors["d_positions"].sum(0)
        return (None, None, *(gradients.get(name) for name in INPUTS))


def _run(sizes: dict[str, int], tensors: dict[str, Tensor], *, back: bool) -> None:
    loaded = library()
    assert loaded is not None
    training = _Training(**sizes, **{name: each.data_ptr() for name, each in tensors.items()})
    error = loaded.larnn_training_run(ctypes.byref(training), back, torch.get_num_threads())
    if error:
        raise RuntimeError(error.decode())


def _after(initial: Tensor, steps: int) -> Tensor:
    """[batch, first, n] → [batch, first + steps, n], zero behind the first."""
    batch, first, n = initial.shape
    longer = initial.new_zeros(batch, first + steps, n)
    longer[:, :first] = initial
    return longer


def _whole_vectors(tensor: Tensor) -> Tensor:
    """A copy whose last axis is filled up with zeros to whole vectors."""
    return torch.nn.functional.pad(tensor, (0, -tensor.shape[-1] % lanes())).contiguous()
