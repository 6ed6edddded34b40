"""The LARNN layer's loop over time with its backward pass written out, for training.

Autograd records some forty tensors a step and copies the whole queue each time. Here the queue is
one buffer [batch, k + steps, n] of which a step sees a view, each step keeps what its derivative
needs, and the gradients of all weights are taken at the end in one product each. A test compares
with autograd.

The sum over a head's features is a product with a constant [n, heads] of zeros and 1/√d, its
counterpart spreads a head's weight over its features: so every operation runs over long rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten
EPSILON = 1e-5
NORMS = ("attention", "cell", "hidden", "key", "value")


class LARNNOverTime(torch.autograd.Function):
    """(from_x, mask, state, weights, norms) → hidden and cell states, keys and values.

    Shapes: from_x [steps, batch, 5n], what the input adds to query and gates; mask [steps, batch,
    k, 1], added to the scores; hidden, cell [batch, n]; keys, values [batch, k, n]; then the
    weights and, for each of NORMS, weight and bias [n], or nothing. Returned: hidden, cell
    [steps + 1, batch, n] and keys, values [batch, k + steps, n], the initial state first.
    """

    @staticmethod
    def forward(
        ctx: Any,
        heads: int,
        from_x: Tensor,
        mask: Tensor,
        hidden: Tensor,
        cell: Tensor,
        keys: Tensor,
        values: Tensor,
        recurrent: Tensor,  # [5n, n], of the query and the gates
        attention: Tensor,  # [4n, n]
        out_weight: Tensor,  # [n, n]
        out_bias: Tensor,
        pair_weight: Tensor,  # [2n, n], of key and value
        pair_bias: Tensor,
        *norms: Tensor,
    ) -> tuple[Tensor, ...]:
        steps, batch, k, n = len(from_x), len(hidden), keys.shape[1], hidden.shape[1]
        gather, spread = _head_matrices(heads, hidden)
        all_hidden, all_cell = _longer(hidden, steps), _longer(cell, steps)
        all_keys, all_values = _longer_queue(keys, steps), _longer_queue(values, steps)
        kept = _kept(from_x, steps, batch, n, k, heads)
        stats: list[list[Any]] = []
        norm = _norms(norms, n)
        for t in range(steps):
            mixed = torch.addmm(from_x[t], all_hidden[t], recurrent.t())
            query = aten.elu.out(mixed[:, :n], out=kept["query"][t])
            scores = torch.matmul(query[:, None] * all_keys[:, t : t + k], gather)
            if t < k:
                scores += mask[t]
            weights = torch.softmax(scores, 1, out=kept["weights"][t])
            spreaded = torch.matmul(weights, spread).mul_(all_values[:, t : t + k])
            raw = torch.sum(spreaded, 1, out=kept["raw"][t])
            projected = torch.addmm(out_bias, raw, out_weight.t(), out=kept["projected"][t])
            attended, *attention_stats = norm["attention"](aten.elu_(projected))
            kept["attended"][t] = attended

            gates = kept["gates"][t]
            torch.addmm(mixed[:, n:], attended, attention.t(), out=gates)
            gates[:, : 2 * n].sigmoid_()
            gates[:, 2 * n : 3 * n].tanh_()
            gates[:, 3 * n :].sigmoid_()
            i, f, g, o = gates.split(n, dim=1)
            torch.mul(i, g, out=kept["raw_cell"][t]).addcmul_(f, all_cell[t])
            next_cell, *cell_stats = norm["cell"](kept["raw_cell"][t])
            all_cell[t + 1] = next_cell
            activated = aten.elu.out(next_cell, out=kept["activated"][t])
            next_hidden, *hidden_stats = norm["hidden"](
                torch.mul(o, activated, out=kept["raw_hidden"][t])
            )
            all_hidden[t + 1] = next_hidden

            pair = aten.elu_(
                torch.addmm(pair_bias, next_cell, pair_weight.t(), out=kept["pair"][t])
            )
            key, *key_stats = norm["key"](pair[:, :n])
            value, *value_stats = norm["value"](pair[:, n:])
            all_keys[:, k + t] = key
            all_values[:, k + t] = value
            stats.append([*attention_stats, *cell_stats, *hidden_stats, *key_stats, *value_stats])
        outputs = (all_hidden, all_cell, all_keys, all_values)
        ctx.save_for_backward(
            *outputs, recurrent, attention, out_weight, pair_weight, gather, spread, *norms
        )
        ctx.kept, ctx.stats = kept, stats
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hiddens, cells, keys, values, recurrent, attention, out_weight, pair_weight = (
            ctx.saved_tensors[:8]
        )
        gather, spread, *norms = ctx.saved_tensors[8:]
        kept, stats = ctx.kept, ctx.stats
        ctx.kept = ctx.stats = None
        d_hiddens, d_cells = grads[:2]
        d_keys, d_values = grads[2].clone(), grads[3].clone()
        steps, batch, n = len(hiddens) - 1, hiddens.shape[1], hiddens.shape[2]
        k = keys.shape[1] - steps
        d_from_x = hiddens.new_empty(steps, batch, 5 * n)
        d_projected = torch.empty_like(kept["projected"])
        d_pair = torch.empty_like(kept["pair"])
        d_gates = hiddens.new_empty(batch, 4 * n)
        d_norms = [torch.zeros_like(tensor) for tensor in norms]
        back = _norms_backward(norms, d_norms, n)
        d_hidden, d_cell = d_hiddens[steps].clone(), d_cells[steps].clone()
        for t in reversed(range(steps)):
            gates, pair, stat = kept["gates"][t], kept["pair"][t], stats[t]
            i, f, g, o = gates.split(n, dim=1)
            both = torch.cat(
                [
                    back["key"](d_keys[:, k + t], pair[:, :n], stat),
                    back["value"](d_values[:, k + t], pair[:, n:], stat),
                ],
                dim=1,
            )
            d_pair[t] = _elu_backward(both, pair)
            d_cell.addmm_(d_pair[t], pair_weight)

            d_raw_hidden = back["hidden"](d_hidden, kept["raw_hidden"][t], stat)
            d_cell += _elu_backward(d_raw_hidden * o, kept["activated"][t])
            d_raw_cell = back["cell"](d_cell, kept["raw_cell"][t], stat)
            torch.mul(d_raw_cell, g, out=d_gates[:, :n])
            torch.mul(d_raw_cell, cells[t], out=d_gates[:, n : 2 * n])
            torch.mul(d_raw_cell, i, out=d_gates[:, 2 * n : 3 * n])
            torch.mul(d_raw_hidden, kept["activated"][t], out=d_gates[:, 3 * n :])
            d_cell = torch.addcmul(d_cells[t], d_raw_cell, f)
            d_mixed = d_from_x[t]
            for squash, a, b in (
                (aten.sigmoid_backward, 0, 2),
                (aten.tanh_backward, 2, 3),
                (aten.sigmoid_backward, 3, 4),
            ):
                squash.grad_input(
                    d_gates[:, a * n : b * n],
                    gates[:, a * n : b * n],
                    grad_input=d_mixed[:, (a + 1) * n : (b + 1) * n],
                )

            d_attended = torch.mm(d_mixed[:, n:], attention)
            d_activated = back["attention"](d_attended, kept["projected"][t], stat)
            d_projected[t] = _elu_backward(d_activated, kept["projected"][t])
            d_raw = torch.mm(d_projected[t], out_weight)[:, None]
            window, weights = slice(t, t + k), kept["weights"][t]
            d_values[:, window].addcmul_(torch.matmul(weights, spread), d_raw)
            d_weights = torch.matmul(values[:, window] * d_raw, spread.t())
            d_scores = aten._softmax_backward_data(d_weights, weights, 1, weights.dtype)  # noqa: SLF001
            spreaded = torch.matmul(d_scores, gather.t())
            d_keys[:, window].addcmul_(spreaded, kept["query"][t][:, None])
            d_query = spreaded.mul_(keys[:, window]).sum(1)
            d_mixed[:, :n] = _elu_backward(d_query, kept["query"][t])
            d_hidden = torch.addmm(d_hiddens[t], d_mixed, recurrent)
        flat_mixed, flat_projected, flat_pair = (
            tensor.flatten(0, 1) for tensor in (d_from_x, d_projected, d_pair)
        )
        return (
            None,
            d_from_x,
            None,
            d_hidden,
            d_cell,
            d_keys[:, :k],
            d_values[:, :k],
            flat_mixed.t() @ hiddens[:-1].flatten(0, 1),
            flat_mixed[:, n:].t() @ kept["attended"].flatten(0, 1),
            flat_projected.t() @ kept["raw"].flatten(0, 1),
            flat_projected.sum(0),
            flat_pair.t() @ cells[1:].flatten(0, 1),
            flat_pair.sum(0),
            *d_norms,
        )


def _head_matrices(heads: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """[n, heads] that sums a head's features over √d, and [heads, n] that spreads."""
    n = like.shape[1]
    spread = torch.eye(heads, dtype=like.dtype).repeat_interleave(n // heads, dim=1)
    spread = spread.to(like.device)
    return (spread.t() / (n // heads) ** 0.5).contiguous(), spread


def _longer(initial: Tensor, steps: int) -> Tensor:
    longer = initial.new_empty(steps + 1, *initial.shape)
    longer[0] = initial
    return longer


def _longer_queue(queue: Tensor, steps: int) -> Tensor:
    batch, k, n = queue.shape
    longer = queue.new_empty(batch, k + steps, n)
    longer[:, :k] = queue
    return longer


def _kept(like: Tensor, steps: int, batch: int, n: int, k: int, heads: int) -> dict[str, Tensor]:
    widths = {
        "query": n,
        "raw": n,
        "projected": n,
        "attended": n,
        "gates": 4 * n,
        "raw_cell": n,
        "activated": n,
        "raw_hidden": n,
        "pair": 2 * n,
    }
    kept = {name: like.new_empty(steps, batch, width) for name, width in widths.items()}
    kept["weights"] = like.new_empty(steps, batch, k, heads)
    return kept


def _norms(norms: tuple[Tensor, ...], n: int) -> dict[str, Any]:
    """Per norm a function x → what it gives and the statistics to keep; without norms x alone."""
    if not norms:
        return dict.fromkeys(NORMS, lambda x: (x, None, None))

    def forward(weight: Tensor, bias: Tensor) -> Any:
        return lambda x: torch.native_layer_norm(x, (n,), weight, bias, EPSILON)

    return {name: forward(norms[2 * i], norms[2 * i + 1]) for i, name in enumerate(NORMS)}


def _norms_backward(norms: list[Tensor], d_norms: list[Tensor], n: int) -> dict[str, Any]:
    """Per norm a function (gradient, its input, the step's statistics) → gradient of the input."""
    if not norms:
        return dict.fromkeys(NORMS, lambda grad, *_: grad)

    def backward(index: int) -> Any:
        weight, bias = norms[2 * index : 2 * index + 2]

        def run(grad: Tensor, x: Tensor, stat: list[Tensor]) -> Tensor:
            mean, rstd = stat[2 * index : 2 * index + 2]
            d_x, d_weight, d_bias = aten.native_layer_norm_backward(
                grad, x, (n,), mean, rstd, weight, bias, [True, True, True]
            )
            d_norms[2 * index] += d_weight
            d_norms[2 * index + 1] += d_bias
            return d_x

        return run

    return {name: backward(index) for index, name in enumerate(NORMS)}


def _elu_backward(grad: Tensor, activated: Tensor) -> Tensor:
    return aten.elu_backward(grad, 1.0, 1.0, 1.0, True, activated)
