"""A LARNN cell run over a sequence, with the queue holding what attention needs.

Keys and values depend on each past cell state alone, so each is projected once, when it enters the
queue: O(n² + kn) a step where the paper's form costs O(kn²), and exact. A positional encoding is a
constant of the slot on top (Wk[c; p] = Wk_c·c + Wk_p·p): then the queue holds the projection before
its activation, and the slot's term joins at each step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.families.larnn.native import LARNNNative, runs_native
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, window_at_length
from larnn_service.contract import StateTensor

MASKED = -1e30


def heads_innermost(config: LARNNConfig) -> Tensor:
    """[n]: the features of a key or a value as the state has them.

    Feature j of head h stands at j·heads + h, so that one vector instruction serves many heads.
    """
    return torch.arange(config.hidden_size).view(config.heads, -1).T.flatten()


class LARNNLayer(nn.Module):
    """State in, state out: hidden, cell, keys, values, filled.

    Keys and values leave it with heads innermost, and are by heads inside.
    """

    order: Tensor

    def __init__(self, config: LARNNConfig) -> None:
        super().__init__()
        self.config = config
        self.cell = LARNNCell(config)
        self.register_buffer("order", heads_innermost(config), persistent=False)

    def state_tensors(self) -> list[StateTensor]:
        n, k = self.config.hidden_size, self.config.window_size
        queue = f"of the last {k} cell states, newest last, heads innermost"
        return [
            StateTensor(name="hidden", shape=(n,), dtype="float32", description="hidden state"),
            StateTensor(name="cell", shape=(n,), dtype="float32", description="cell state"),
            StateTensor(name="keys", shape=(k, n), dtype="float32", description=f"keys {queue}"),
            StateTensor(
                name="values", shape=(k, n), dtype="float32", description=f"values {queue}"
            ),
            StateTensor(
                name="filled",
                shape=(),
                dtype="int64",
                maximum=k,
                description="slots of the queue in use",
            ),
        ]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""
        hidden, cell, keys, values, filled = state
        empty = self.cell.empty_slots(filled)[..., None]
        keys, values = keys.masked_fill(empty, 0.0), values.masked_fill(empty, 0.0)
        loop = self._native if self._has_native_loop(x) else self._plain
        hiddens, cells, new_keys, new_values = loop(x, (hidden, cell, keys, values, filled))
        steps = x.shape[1] if lengths is None else lengths
        return hiddens, (
            at_length(hidden, hiddens, lengths),
            at_length(cell, cells, lengths),
            window_at_length(keys, new_keys, lengths),
            window_at_length(values, new_values, lengths),
            (filled + steps).clamp(max=self.config.window_size),
        )

    def _plain(self, x: Tensor, state: Tensors) -> Tensors:
        """Hidden and cell states, keys and values of all steps [batch, steps, n], step by step."""
        hidden, cell, keys, values, filled = state
        from_x, weight_recurrent, weight_a = self._from_x(x)
        keys, values = keys[..., self.order.argsort()], values[..., self.order.argsort()]
        mask = self._mask(filled, x.shape[1])

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            hidden, cell, keys, values = carry
            from_x_t, mask = inputs
            query, pre_activation = (from_x_t + F.linear(hidden, weight_recurrent)).split(
                [self.config.hidden_size, 4 * self.config.hidden_size], dim=-1
            )
            attended = self._attend(F.elu(query), keys, values, mask)
            hidden, cell = self.cell.gates(pre_activation + F.linear(attended, weight_a), cell)
            key, value = self.project(cell)
            keys = torch.cat([keys[:, 1:], key[:, None]], dim=1)
            values = torch.cat([values[:, 1:], value[:, None]], dim=1)
            return (hidden, cell, keys, values), (hidden, cell, key, value)

        carry = (hidden, cell, keys, values)
        hiddens, cells, keys, values = over_time(step, carry, (from_x, mask))
        return hiddens, cells, keys[..., self.order], values[..., self.order]

    def _from_x(self, x: Tensor, order: Tensor | None = None) -> Tensors:
        """What the input adds to query and gates [batch, steps, 5n], and the weights of the hidden
        state [5n, n] and of what attention gives [4n, n]. The query's features in the given order.
        """
        weight_x, weight_h, weight_a, bias = self.cell.gate_parameters()
        query: Tensor = self.cell.q_proj.weight
        query_bias: Tensor = self.cell.q_proj.bias
        if order is not None:
            query, query_bias = query[order], query_bias[order]
        query_x, query_h = query.split(self.config.hidden_size, dim=1)
        from_x = F.linear(x, torch.cat([query_x, weight_x]), torch.cat([query_bias, bias]))
        return from_x, torch.cat([query_h, weight_h]), weight_a

    def _has_native_loop(self, x: Tensor) -> bool:
        """In training and where it is measured; else the equations as they stand here."""
        in_training = self.training or torch.is_inference_mode_enabled()
        return (
            in_training
            and self.config.normalisation == "none"
            and runs_native(self.config.heads, x)
        )

    def _native(self, x: Tensor, state: Tensors) -> Tensors:
        """The same loop in the native library: for training."""
        hidden, cell, keys, values, filled = state
        of, n, k = self.cell, self.config.hidden_size, self.config.window_size
        from_x, weight_recurrent, weight_a = self._from_x(x, self.order)
        pair = torch.cat([of.k_proj.weight[self.order], of.v_proj.weight[self.order]])
        hiddens, cells, keys, values = LARNNNative.apply(
            self.config.heads,
            self.config.activate_keys_values,
            from_x,
            filled,
            hidden,
            cell,
            keys,
            values,
            weight_recurrent,
            weight_a,
            of.out_proj.weight[:, self.order],
            of.out_proj.bias,
            pair[:, :n],
            torch.cat([of.k_proj.bias[self.order], of.v_proj.bias[self.order]]),
            F.linear(of.position, pair[:, n:]) if self.config.positional_encoding else None,
        )
        return hiddens[:, 1:], cells[:, 1:], keys[:, k:], values[:, k:]

    def _mask(self, filled: Tensor, steps: int) -> Tensor:
        """[batch, steps, k, 1], added to the scores: empty slots get no attention."""
        filled_later = filled[:, None] + torch.arange(steps, device=filled.device)
        return torch.where(self.cell.empty_slots(filled_later), MASKED, 0.0)[..., None]

    def project(self, cell: Tensor) -> Tensors:
        """What enters the queue for a cell state [batch, n]."""
        n = self.config.hidden_size
        key = F.linear(cell, self.cell.k_proj.weight[:, :n], self.cell.k_proj.bias)
        value = F.linear(cell, self.cell.v_proj.weight[:, :n], self.cell.v_proj.bias)
        if self.config.positional_encoding:
            return key, value
        return self.cell.keys(key), self.cell.values(value)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """As `LARNNCell.attend`, over what the queue holds."""
        cell, n = self.cell, self.config.hidden_size
        if self.config.positional_encoding:
            keys = cell.keys(keys + F.linear(cell.position, cell.k_proj.weight[:, n:]))
            values = cell.values(values + F.linear(cell.position, cell.v_proj.weight[:, n:]))
        query = query / self.config.head_size**0.5
        scores = (cell.by_head(query[:, None]) * cell.by_head(keys)).sum(-1)
        weights = (scores + mask).softmax(dim=1)
        if self.config.positional_encoding:  # else the values of empty slots are zero
            weights = weights * (mask == 0)
        attended = (weights[..., None] * cell.by_head(values)).sum(1)
        return cell.attention_norm(F.elu(cell.out_proj(attended.flatten(1))))
