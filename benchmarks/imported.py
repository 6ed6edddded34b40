"""python -m benchmarks imported: an imported network served, beside a loop that calls the file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer
from numpy.typing import NDArray

from benchmarks.measure import machine, measure, write
from benchmarks.our_streams import OurStreams
from benchmarks.server import ROOT, serving
from larnn_export.importing import Options, import_graph

NAME, FRAME, OVERLAP, RATE = "voice", 512, 64, 16_000
STREAMS = (1, 16, 64)
SAID = {
    "name": NAME,
    "input": {"frame": FRAME, "overlap": OVERLAP},
    "constants": {"sr": RATE},
    "sample_rate_hz": RATE,
    "outputs": [{"name": "output", "task": "probability", "labels": ["speech"]}],
}


def imported(
    file: Annotated[Path, typer.Argument(help="silero_vad.onnx of the silero-vad wheel")],
    rounds: Annotated[int, typer.Option(min=1, help="of each row")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="of a round")] = 3.0,
    streams: Annotated[list[int] | None, typer.Option(help="how many at once")] = None,
    output: Annotated[Path, typer.Option(help="write the figures as JSON")] = (
        ROOT / "benchmarks/results/imported.json"
    ),
) -> None:
    """Silero's voice detector by websocket, a frame a message, beside onnxruntime in a loop.

    The loop runs frame after frame, of one stream after the other, in one thread: frames per
    second of CPU time on both sides. Streams that a core holds at real time follow from it.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        import_graph(file, Options.model_validate(SAID), models)
        with serving(models, NAME, 1) as server:
            for count in streams or STREAMS:
                asked = OurStreams(server.port, NAME, count, 1, True, FRAME)
                served, looped = [], []
                for _ in range(rounds):
                    served.append(measure(server, asked, seconds, 1_000_000))
                    looped.append(_in_a_loop(file, count, seconds))
                rows.append(_row(count, [r.per_cpu_second for r in served], looped))
                rows[-1]["p50_ms"] = median(each.p50_ms for each in served)
                _tell(rows[-1])
    write(machine() | {"command": "imported", "rounds": rounds, "rows": rows}, output)


def _row(count: int, served: list[float], looped: list[float]) -> dict[str, Any]:
    ours, loop = median(served), median(looped)
    return {
        "streams": count,
        "served_per_cpu_second": ours,
        "loop_per_cpu_second": loop,
        "ratio": ours / loop,
        "real_time_streams_a_core": ours * FRAME / RATE,
    }


def _in_a_loop(file: Path, count: int, seconds: float) -> float:
    """Frames in a second of CPU time."""
    run = _loop(file, count)
    run()
    began, frames, until = time.process_time(), 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        run()
        frames += count
    return frames / (time.process_time() - began)


def _loop(file: Path, count: int) -> Callable[[], None]:
    """Runs a frame of each stream, as Silero's own code does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    frame = random.normal(0, 0.1, (1, FRAME)).astype(np.float32)
    states: list[NDArray[Any]] = [np.zeros((2, 1, 128), np.float32)] * count
    overlaps: list[NDArray[Any]] = [np.zeros((1, OVERLAP), np.float32)] * count
    rate = np.array(RATE)

    def run() -> None:
        for index in range(count):
            x = np.concatenate([overlaps[index], frame], axis=1)
            given = {"input": x, "state": states[index], "sr": rate}
            _, states[index] = session.run(None, given)
            overlaps[index] = x[:, -OVERLAP:]

    return run


def _tell(row: dict[str, Any]) -> None:
    print(
        f"{row['streams']:4d} streams: {row['served_per_cpu_second']:7.0f} frames a CPU-second "
        f"served, {row['loop_per_cpu_second']:7.0f} in a loop: {row['ratio']:.2f}; "
        f"{row['real_time_streams_a_core']:.0f} streams a core at real time; "
        f"p50 {row['p50_ms']:.2f} ms"
    )
