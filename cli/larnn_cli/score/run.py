"""One run: pieces of several recordings side by side, each from its own state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from larnn_cli.score.pieces import Piece
from larnn_export.data import DataError
from larnn_service.interfaces import Model, RowState, State


def run(model: Model, pieces: Sequence[Piece], every: bool) -> list[DataError | None]:
    """Fill in the outputs of each piece and the state of its recording, and say what went wrong
    with it. `every`: outputs of each step, not of the last alone. In any thread."""
    lengths = np.array([len(piece.steps) for piece in pieces])
    longest, first = int(lengths.max()), pieces[0].steps
    x = np.zeros((len(pieces), longest, first.shape[1]), first.dtype)
    for row, piece in zip(x, pieces, strict=True):
        row[: len(piece.steps)] = piece.steps
    before = {
        name: np.stack([piece.recording.state[name] for piece in pieces]) for name in model.initial
    }
    outputs, after = model.backend.run(x, lengths, before)
    problems: list[DataError | None] = []
    for index, piece in enumerate(pieces):
        recording = piece.recording
        recording.state = {} if piece.ends else {**recording.state, **_row(after, index)}
        steps = int(lengths[index])
        piece.outputs = outputs[index, 0 if every else steps - 1 : steps].copy()
        good = model.manifest.contract.are_good(piece.outputs)
        problems.append(None if good else _not_finite(piece))
    return problems


def _row(tensors: State, index: int) -> RowState:
    """A copy: a view would keep the others."""
    return {name: tensor[index].copy() for name, tensor in tensors.items()}


def _not_finite(piece: Piece) -> DataError:
    return DataError(
        f"from row {piece.first_row} on: what the network says is not finite; its numbers are "
        "probably of another unit, or none that a sensor gives"
    )
