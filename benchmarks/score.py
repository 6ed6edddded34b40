"""`larnn score` beside bare runs of the same network; its memory, a kill in the middle, and Ray."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from benchmarks.bare import BareSession
from benchmarks.measure import Output, machine, write
from larnn_cli.score.open_file import LONGEST
from larnn_cli.score.scorer import BATCH
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import Manifest
from larnn_service.cores import cores

RAY_WORKERS = 2
_RATE = re.compile(r"([\d,]+) steps, ([\d,]+) a second")
_IN_RAY = """
import sys, ray
from larnn_cli.score.ray_step import ScoreFiles, files

source, target, workers = sys.argv[1:]
ray.init(num_cpus=int(workers), include_dashboard=False, log_to_driver=False)
told = ray.data.from_items(files(source, target, every=True)).map_batches(
    ScoreFiles, batch_size=32, concurrency=int(workers), fn_constructor_args=(source, target),
    fn_constructor_kwargs={"every": True},
).take_all()
assert not any(row["problem"] for row in told)
"""


def score(
    steps: Annotated[int, typer.Option(help="of all recordings")] = 10_000_000,
    files: Annotated[int, typer.Option(help="a recording each")] = 128,
    rounds: Annotated[int, typer.Option(help="of both in turn")] = 3,
    ray: Annotated[bool, typer.Option(help="two workers of Ray Data, too")] = False,
    models: Path = Path("models"),
    model: str = "larnn-har",
    output: Output = None,
) -> None:
    """Steps a second of `larnn score --every`, and of onnxruntime alone with runs of that size."""
    folder = Repository(models).newest(model)
    manifest = Manifest.model_validate_json((folder / "model.json").read_bytes())
    record: dict[str, Any] = {"steps": steps, "files": files, "threads": cores()} | machine()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        source = place / "in"
        _make(source, manifest, files, steps // files)
        each = [_round(source, place / f"out{n}", folder, manifest, model) for n in range(rounds)]
        record |= {name: median(one[name] for one in each) for name in each[0]}
        record["ratios"] = sorted(one["of_bare"] for one in each)
        small = place / "small"
        _make(small, manifest, files, steps // files // 10)
        record["peak_mib_of_a_tenth"] = _scored(small, place / "tenth", model)["peak_mib"]
        record |= _killed(source, place / "killed", place / "out0", model)
        if ray:
            record |= _in_ray(source, place / "ray", place / "out0", model)
    for name, value in record.items():
        print(f"{name:24} {format(value, ',.6g') if isinstance(value, float) else value}")
    write(record, output)


def _make(folder: Path, manifest: Manifest, files: int, steps: int) -> None:
    """Recordings of noise, in files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    names = [channel.name for channel in manifest.contract.input.channels]
    for number in range(files):
        signals = random.standard_normal((len(names), steps)).astype(np.float32)
        table = pa.table(dict(zip(names, signals, strict=True)))
        pq.write_table(table, folder / f"{number:05}.parquet", use_dictionary=False)


def _round(
    source: Path, target: Path, folder: Path, manifest: Manifest, model: str
) -> dict[str, float]:
    threads = cores()
    window = np.random.default_rng(0).standard_normal((LONGEST, manifest.contract.input.width))
    session = BareSession(folder, manifest, threads)
    bare = session.measure(window.astype(np.float32), BATCH, 10, sys.maxsize)
    scored = _scored(source, target, model)
    return scored | {
        "bare_per_second": bare.per_second * LONGEST,
        "of_bare": scored["per_second"] / (bare.per_second * LONGEST),
        "cpu_of_bare": scored["per_cpu_second"] / (bare.per_cpu_second * LONGEST),
    }


def _command(source: Path, target: Path, model: str) -> list[str]:
    return [sys.executable, "-m", "cli", "score", str(source), str(target), "--every", "-m", model]


def _scored(source: Path, target: Path, model: str) -> dict[str, float]:
    """By a process of its own; its CPU time and its memory are all that it used."""
    process = subprocess.Popen(_command(source, target, model), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status or (match := _RATE.search(told)) is None:
        raise SystemExit(told)
    steps, rate = (float(number.replace(",", "")) for number in match.groups())
    return {
        "per_second": rate,
        "per_cpu_second": steps / (used.ru_utime + used.ru_stime),
        "peak_mib": used.ru_maxrss / 1024,
    }


def _killed(source: Path, target: Path, whole: Path, model: str) -> dict[str, Any]:
    """Killed in the middle and run again: what it did not do twice, and that nothing lacks."""
    process = subprocess.Popen(_command(source, target, model), stderr=subprocess.DEVNULL)
    half = sum(1 for _ in source.iterdir()) // 2
    while process.poll() is None and len(list(target.glob("[0-9]*"))) < half:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(list(target.glob("[0-9]*")))
    _scored(source, target, model)
    return {"kept_of_a_kill": kept, "equal_after_a_kill": _equal(whole, target)}


def _in_ray(source: Path, target: Path, whole: Path, model: str) -> dict[str, Any]:
    variables = os.environ | {"LARNN_MODEL": model, "PYTHONPATH": os.pathsep.join(sys.path)}
    began = time.perf_counter()
    command = [sys.executable, "-c", _IN_RAY, str(source), str(target), str(RAY_WORKERS)]
    subprocess.run(command, env=variables, check=True)
    return {
        "ray_seconds": time.perf_counter() - began,
        "ray_equal": _equal(whole, target),
    }


def _equal(one: Path, other: Path) -> bool:
    """Whether two folders have the same answers: labels and, as runs of other sizes add in another
    order, probabilities to 1e-5."""
    names = sorted(path.name for path in one.glob("[0-9]*"))
    if names != sorted(path.name for path in other.glob("[0-9]*")):
        return False
    for name in names:
        mine, theirs = pq.read_table(one / name), pq.read_table(other / name)
        if mine["row"] != theirs["row"]:
            return False
        for column in mine.column_names[2:]:
            if not np.allclose(mine[column].to_numpy(), theirs[column].to_numpy(), atol=1e-5):
                return False
    return True
