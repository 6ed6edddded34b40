"""python -m benchmarks imported: an imported network served, beside loops that call the file."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
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
from benchmarks.peers.install import FOLDER, Folder
from benchmarks.peers.registry import SHERPA
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
    peers: Folder = FOLDER,
    output: Annotated[Path, typer.Option(help="write the figures as JSON")] = (
        ROOT / "benchmarks/results/imported.json"
    ),
) -> None:
    """Silero's voice detector by websocket, a frame a message, beside loops: onnxruntime's, and
    sherpa-onnx's detector where it is installed.

    A loop runs frame after frame, of one stream after the other, in one thread: frames per second
    of CPU time on all sides. Milliseconds of a frame, and streams that two cores hold at real time,
    follow from it.
    """
    rows, beside = [], SHERPA.is_installed(peers)
    if not beside:
        print(f"{SHERPA.name} is skipped: python -m benchmarks install {SHERPA.name}")
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        import_graph(file, Options.model_validate(SAID), models)
        with serving(models, NAME, 1) as server:
            for count in streams or STREAMS:
                asked = OurStreams(server.port, NAME, count, 1, True, FRAME)
                found: dict[str, list[float]] = defaultdict(list)
                for _ in range(rounds):
                    served = measure(server, asked, seconds, 1_000_000)
                    found["served"].append(served.per_cpu_second)
                    found["onnxruntime"].append(_in_a_loop(file, count, seconds))
                    if beside:
                        looped = SHERPA.per_cpu_second(peers, file, count, seconds)
                        found[SHERPA.name].append(looped)
                    found["p50_ms"].append(served.p50_ms)
                row: dict[str, Any] = {"streams": count, "p50_ms": median(found.pop("p50_ms"))}
                row |= {name: _figures(each, found["served"]) for name, each in found.items()}
                rows.append(row)
                _tell(row)
    write(machine() | {"command": "imported", "rounds": rounds, "rows": rows}, output)


def _figures(mine: list[float], served: list[float]) -> dict[str, float]:
    """Of frames in a second of CPU time, round by round, and the service's in the same rounds."""
    per_cpu_second = median(mine)
    return {
        "per_cpu_second": per_cpu_second,
        "ms_a_frame": 1e3 / per_cpu_second,
        "real_time_streams_on_two_cores": 2 * per_cpu_second * FRAME / RATE,
        "served_of_it": median(ours / other for ours, other in zip(served, mine, strict=True)),
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
    print(f"{row['streams']:4d} streams: p50 {row['p50_ms']:.2f} ms served")
    for name, figures in row.items():
        if isinstance(figures, dict):
            beside = "" if name == "served" else f"; served {figures['served_of_it']:.2f} of it"
            print(
                f"     {name:12s} {figures['per_cpu_second']:7.0f} frames a CPU-second, "
                f"{figures['ms_a_frame']:.3f} ms a frame, "
                f"{figures['real_time_streams_on_two_cores']:4.0f} streams on two cores at real "
                f"time{beside}"
            )
