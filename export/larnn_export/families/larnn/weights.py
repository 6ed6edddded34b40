"""A LARNN layer's weights as graph and operator take them: [in, out], heads innermost."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from larnn_export.families.builder import affine
from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.config import heads_innermost

Weights = dict[str, Tensor | str]
"""Tensors, or inside a function the names of its inputs; an empty name where a layer has none."""

MATRICES = (
    "query_x",  # [n, n]
    "query_bias",  # [n]
    "gates_x",  # [n, 4n], in the order i, f, o, g: the three that take a sigmoid side by side
    "gates_bias",  # [4n]
    "query_hidden",  # [n, n]
    "gates_recurrent",  # [2n, 4n], of [hidden, attended]
    "output",  # [n, n], of what attention found
    "output_bias",  # [n]
    "pair",  # [n, 2n], the key and the value of a cell state
    "pair_bias",  # [2n]
)
NORMS = ("attention", "cell", "hidden", "key", "value")
NAMES = (*MATRICES, *(f"{norm}_{part}" for norm in NORMS for part in ("scale", "shift")))


def weights_of(cell: LARNNCell, fold: bool = True) -> Weights:
    """By NAMES. Where it is folded, batch norm behind attention is part of the gates' weights; the
    other norms are a scale and a shift."""
    n, order = cell.config.hidden_size, heads_innermost(cell.config)
    gates_x, gates_h, gates_a, gates_bias = (
        torch.cat([i, f, o, g]).double()
        for i, f, g, o in (gates.chunk(4) for gates in cell.gate_parameters())
    )
    behind: nn.Module = cell.attention_norm
    if fold and isinstance(behind, nn.BatchNorm1d):
        scale, shift = affine(behind)
        behind = nn.Identity()
        gates_bias = gates_bias + gates_a @ shift
        gates_a = gates_a * scale
    query_x, query_hidden = cell.q_proj.weight[order].split(n, dim=1)
    pair = torch.cat([cell.k_proj.weight[order, :n], cell.v_proj.weight[order, :n]])
    matrices = (
        query_x.T,
        cell.q_proj.bias[order],
        gates_x.T,
        gates_bias,
        query_hidden.T,
        torch.cat([gates_h, gates_a], dim=1).T,
        cell.out_proj.weight[:, order].T,
        cell.out_proj.bias,
        pair.T,
        torch.cat([cell.k_proj.bias[order], cell.v_proj.bias[order]]),
    )
    unchanged = torch.arange(n)
    norms = (
        _norm(behind, unchanged),
        _norm(cell.cell_norm, unchanged),
        _norm(cell.hidden_norm, unchanged),
        _norm(cell.k_norm, order),
        _norm(cell.v_norm, order),
    )
    parts = (*matrices, *(part for norm in norms for part in norm))
    return dict(zip(NAMES, parts, strict=True))


def gates_of_training(gates: Tensor) -> Tensor:
    """[…, 4n] in the order i, f, o, g → in that of the native loop of training: i, f, g, o."""
    i, f, o, g = gates.chunk(4, dim=-1)
    return torch.cat([i, f, g, o], dim=-1)


def _norm(norm: nn.Module, order: Tensor) -> tuple[Tensor | str, Tensor | str]:
    """Scale and shift [n]."""
    if isinstance(norm, nn.LayerNorm):
        return norm.weight[order], norm.bias[order]
    if isinstance(norm, nn.BatchNorm1d):
        scale, shift = affine(norm)
        return scale[order], shift[order]
    return "", ""
