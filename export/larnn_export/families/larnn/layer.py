"""A LARNN cell run over a sequence, with the queue holding what attention needs.

Keys and values depend on each past cell state alone, so each is projected once, when it enters the
queue: O(n² + kn) a step where the paper's form costs O(kn²), and exact. A positional encoding is a
constant of the slot on top (Wk[c; p] = Wk_c·c + Wk_p·p): then the queue holds the projection before
its activation, and the slot's term joins at each step.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.config import LARNNConfig, heads_innermost
from larnn_export.families.larnn.native import LARNNNative, runs_native
from larnn_export.families.larnn.step import MASKED, constants_of, step
from larnn_export.families.larnn.weights import gates_of_training, weights_of
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.operations import InTorch
from larnn_export.families.parts import at_length, filled_slots, window_at_length
from larnn_service.contract import StateTensor

NORM_OF = {
    "attention": "attention_norm",
    "cell": "cell_norm",
    "hidden": "hidden_norm",
    "key": "k_norm",
    "value": "v_norm",
}
"""The cell's module for each of NORMS."""


class LARNNLayer(nn.Module):
    """State in, state out: hidden, cell, keys, values, filled.

    Keys and values have heads innermost.
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
            filled_slots(k),
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
        weights = self._weights(x)
        from_x = tuple(x @ weights[f"{of}_x"] + weights[f"{of}_bias"] for of in ("query", "gates"))
        mask = self._mask(filled, x.shape[1]).to(x)
        one = partial(step, InTorch(), self.config, weights, self._norm)
        return over_time(one, (hidden, cell, keys, values), (*from_x, mask))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        """One of NORMS. Those of keys and values are kept by heads."""
        norm: nn.Module = getattr(self.cell, NORM_OF[name])
        if name not in ("key", "value") or isinstance(norm, nn.Identity):
            return norm(x)
        return norm(x[..., self.order.argsort()])[..., self.order]

    def _weights(self, like: Tensor) -> dict[str, Tensor]:
        """What a step takes, by the names of `weights_of` and `constants_of`."""
        own = {**weights_of(self.cell, fold=False), **constants_of(self.cell)}
        return {name: each.to(like) for name, each in own.items() if isinstance(each, Tensor)}

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
        n, k, weights = self.config.hidden_size, self.config.window_size, self._weights(x)
        gates_x, gates_bias, gates_recurrent = (
            gates_of_training(weights[f"gates_{of}"]) for of in ("x", "bias", "recurrent")
        )
        weight_x = torch.cat([weights["query_x"], gates_x], 1).T
        bias = torch.cat([weights["query_bias"], gates_bias])
        positions = [each for name, each in weights.items() if name.endswith("_positions")]
        hiddens, cells, keys, values = LARNNNative.apply(
            self.config.heads,
            self.config.activate_keys_values,
            F.linear(x, weight_x, bias),
            filled,
            hidden,
            cell,
            keys,
            values,
            torch.cat([weights["query_hidden"], gates_recurrent[:n]], 1).T,
            gates_recurrent[n:].T,
            weights["output"].T,
            weights["output_bias"],
            weights["pair"].T,
            weights["pair_bias"],
            torch.cat(positions, 1) if positions else None,
        )
        return hiddens[:, 1:], cells[:, 1:], keys[:, k:], values[:, k:]

    def _mask(self, filled: Tensor, steps: int) -> Tensor:
        """[batch, steps, k, 1], added to the scores: empty slots get no attention."""
        filled_later = filled[:, None] + torch.arange(steps, device=filled.device)
        return torch.where(self.cell.empty_slots(filled_later), MASKED, 0.0)[..., None]
