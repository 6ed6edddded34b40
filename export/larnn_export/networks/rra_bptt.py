"""The RRA layer's loop over time with its backward pass written out, for training.

The queue is one buffer [K + steps, batch, n] of which a step sees K rows: what it attends to is one
matrix-vector product, its derivative one outer product, and no slot is ever moved. The gradients of
the weights are taken at the end. A test compares with autograd.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class RRAOverTime(torch.autograd.Function):
    """(from_x, cell, queue, recurrent, weights) → hidden and cell states [batch, steps, n].

    from_x [batch, steps, 4n], gates in the order i, f, g, o; cell [batch, n]; queue [batch, K, n];
    recurrent [4n, n]; weights [K], of the oldest first.
    """

    @staticmethod
    def forward(
        ctx: Any, from_x: Tensor, cell: Tensor, queue: Tensor, recurrent: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, steps, _ = from_x.shape
        k, n = queue.shape[1:]
        hiddens = queue.new_empty(k + steps, batch, n)
        hiddens[:k] = queue.transpose(0, 1)
        cells = cell.new_empty(steps + 1, batch, n)
        cells[0] = cell
        all_gates = from_x.transpose(0, 1).contiguous()
        squashed = torch.empty_like(cells[1:])
        flat, across = hiddens.view(k + steps, -1), recurrent.t().contiguous()
        for t, gates in enumerate(all_gates):
            gates.addmm_(hiddens[k + t - 1], across)
            gates[:, : 2 * n].sigmoid_()
            gates[:, 2 * n : 3 * n].tanh_()
            gates[:, 3 * n :].sigmoid_()
            i, f, g, o = gates.split(n, dim=1)
            torch.mul(i, g, out=cells[t + 1]).addcmul_(f, cells[t])
            torch.mv(flat[t : t + k].t(), weights, out=squashed[t].view(-1))
            squashed[t].add_(cells[t + 1]).tanh_()
            torch.mul(o, squashed[t], out=hiddens[k + t])
        ctx.save_for_backward(hiddens, cells, all_gates, squashed, recurrent, weights)
        return hiddens[k:].transpose(0, 1), cells[1:].transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, d_cells: Tensor) -> tuple[Tensor | None, ...]:
        hiddens, cells, all_gates, squashed, recurrent, weights = ctx.saved_tensors
        steps, batch, n = squashed.shape
        k = len(weights)
        d_hiddens = torch.zeros_like(hiddens)
        d_hiddens[k:] = d_out.transpose(0, 1)
        d_cells = d_cells.transpose(0, 1)
        d_gates, d_attended = torch.empty_like(all_gates), torch.empty_like(squashed)
        d_flat = d_hiddens.view(k + steps, -1)
        slopes = _slopes(all_gates, n)
        d_cell = torch.zeros_like(cells[0])
        for t in reversed(range(steps)):
            i, f, g, o = all_gates[t].split(n, dim=1)
            d_i, d_f, d_g, d_o = d_gates[t].split(n, dim=1)
            torch.mul(d_hiddens[k + t], squashed[t], out=d_o)
            torch.ops.aten.tanh_backward.grad_input(
                d_hiddens[k + t] * o, squashed[t], grad_input=d_attended[t]
            )
            d_flat[t : t + k].addr_(weights, d_attended[t].view(-1))
            d_cell.add_(d_attended[t]).add_(d_cells[t])
            torch.mul(d_cell, g, out=d_i)
            torch.mul(d_cell, cells[t], out=d_f)
            torch.mul(d_cell, i, out=d_g)
            d_cell.mul_(f)
            d_gates[t].mul_(slopes[t])
            d_hiddens[k + t - 1].addmm_(d_gates[t], recurrent)
        before = hiddens[k - 1 : k - 1 + steps]
        d_recurrent = d_gates.view(-1, 4 * n).t() @ before.reshape(-1, n)
        d_weights = torch.stack(
            [(d_attended * hiddens[age : age + steps]).sum() for age in range(k)]
        )
        return (
            d_gates.transpose(0, 1),
            d_cell,
            d_hiddens[:k].transpose(0, 1),
            d_recurrent,
            d_weights,
        )


def _slopes(gates: Tensor, n: int) -> Tensor:
    """The derivative of each gate's activation, from its value [steps, batch, 4n]."""
    slopes = gates * (1 - gates)
    candidate = gates[..., 2 * n : 3 * n]
    slopes[..., 2 * n : 3 * n] = 1 - candidate * candidate
    return slopes
