"""A batcher over a network in numpy, for tests of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from larnn_service.contract import GraphFile, Manifest
from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.executor import Executor
from larnn_service.engine.batching.queue_entries import Outcome
from larnn_service.interfaces import Floats, Indices, Model, Operator, State, advance_by_copy
from larnn_service.telemetry.metrics import Metrics
from larnn_service.telemetry.runs import RunTelemetry
from tests import toy

MANIFEST = Manifest(
    name="toy",
    version=1,
    description="",
    contract=toy.CONTRACT,
    graph=GraphFile(file="model.onnx", sha256="0" * 64),
    network={},
)
START = toy.CONTRACT.initial_state()
FAILS = -1.0


class Sums:
    """The toy in numpy, which notes its runs, waits where told and fails on a value."""

    provider = "numpy"
    operator: Operator = "graph"

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.threads: list[int] = []
        self.note: Callable[[], None] = lambda: None
        self.gate = threading.Event()
        self.gate.set()

    def advance(
        self, x: Floats, lengths: Any, tensors: State, rows: Indices, next_rows: Indices
    ) -> Floats:
        return advance_by_copy(self.run, x, lengths, tensors, rows, next_rows)

    def run(self, x: Floats, lengths: Any, state: State) -> tuple[Floats, State]:
        self.gate.wait(10)
        self.runs.append(lengths.tolist())
        self.threads.append(threading.get_ident())
        self.note()
        if (x == FAILS).any():
            raise RuntimeError("the run fails")
        with np.errstate(over="ignore"):
            totals = state["total"][:, None] + x.cumsum(1)
        seen = state["seen"][:, None] + np.arange(1, x.shape[1] + 1)
        logits = np.concatenate([totals, seen[..., None]], axis=2).astype(np.float32)
        row = np.arange(len(x))
        return logits, {"total": totals[row, lengths - 1], "seen": state["seen"] + lengths}


class Reply(asyncio.Future[Any]):
    """To one submission, which is dropped where this is cancelled."""

    give_up: Callable[[], None]

    def cancel(self, msg: Any = None) -> bool:
        self.give_up()
        return super().cancel(msg)


class Bench:
    """A batcher over Sums, inside one event loop."""

    def __init__(self, threads: Executor, **limits: Any) -> None:
        self.backend = Sums()
        defaults = {
            "concurrency": 1,
            "max_batch_size": 8,
            "max_run_steps": 16,
            "max_run_row_steps": 1_000,
            "max_waiting_steps": 10_000,
        }
        telemetry = RunTelemetry(Metrics(), MANIFEST)
        model = Model(MANIFEST, self.backend)
        self.batcher = Batcher(model, threads, telemetry, **defaults | limits)

    def submit(self, *steps: int, value: float = 1.0) -> list[asyncio.Future[Any]]:
        """Each row by itself, in one turn of the loop."""
        return [self.ask(count, value=value) for count in steps]

    def ask(self, *steps: int, value: float = 1.0) -> asyncio.Future[Any]:
        """Rows that come together: what comes of the one, or of all."""
        rows = [(np.full((count, 2), value, dtype=np.float32), START) for count in steps]
        reply = Reply()

        def then(outcomes: list[Outcome]) -> None:
            if isinstance(outcomes[0], Exception):
                reply.set_exception(outcomes[0])
            else:
                reply.set_result(outcomes[0] if len(outcomes) == 1 else outcomes)

        submission = self.batcher.submit(rows, then)
        reply.give_up = lambda: self.batcher.drop(submission)
        return reply
