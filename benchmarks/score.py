"""`larnn score` beside bare runs of the same network; its memory, a kill in the middle, and Ray."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from benchmarks.bare import BareSession
from benchmarks.measure import Output, machine, report
from larnn_cli.score.open_file import LONGEST
from larnn_cli.score.scorer import FEW, MANY
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import Manifest
from larnn_service.cores import cores
from larnn_service.interfaces import Floats
from larnn_service.native import library

RAY_WORKERS = 2
SECONDS = 10.0
"""Of onnxruntime alone, in a round."""
CLOSE = 1e-5
"""What probabilities may differ by."""
_ANSWERS = "[0-9]*.parquet"
_RATE = re.compile(r"([\d,]+) steps, ([\d,]+) a second")
_SCORES = """
import atexit, runpy, time

@atexit.register
def tell():  # the kernel's figure of a child begins with its parent's memory, so it tells its own
    with open("/proc/self/status") as file:
        print(time.process_time(), file.read().partition("VmHWM:")[2].split()[0])

runpy.run_module("cli", run_name="__main__")
"""
_IN_RAY = """
import sys, time, ray
from larnn_cli.score.ray_step import ScoreFiles, files

source, target, workers = sys.argv[1:]
ray.init(num_cpus=int(workers), include_dashboard=False, log_to_driver=False)
began = time.perf_counter()
told = ray.data.from_items(files(source, target, every=True)).map_batches(
    ScoreFiles, batch_size=32, concurrency=int(workers), fn_constructor_args=(source, target),
    fn_constructor_kwargs={"every": True},
).take_all()
print(time.perf_counter() - began)
assert not any(row["problem"] for row in told)
"""


@dataclass(frozen=True)
class Speed:
    """What one round gave."""

    per_second: float
    """Steps."""
    per_cpu_second: float
    """Of all threads."""
    peak_mib: float = 0.0
    """That were resident at most."""


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
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        source, small = place / "in", place / "small"
        make(source, manifest, files, steps // files)
        make(small, manifest, files, steps // files // 10)
        for number in range(rounds):
            bare.append(_bare(folder, manifest))
            ours.append(scored(source, place / f"out{number}", models, model))
        tenth = scored(small, place / "tenth", models, model)
        record: dict[str, Any] = machine() | {
            "command": "score",
            "model": model,
            "steps": steps,
            "files": files,
            "threads": cores(),
            "rows": [_row("larnn score", ours, bare), _row("onnxruntime alone", bare, bare)],
            "peak_mib": max(each.peak_mib for each in ours),
            "peak_mib_of_a_tenth": tenth.peak_mib,
            **_killed(source, place / "killed", place / "out0", models, model),
        }
        if ray:
            record |= _in_ray(source, place / "ray", place / "out0", models, model, steps)
    report("score", record, output)


def _row(name: str, mine: list[Speed], bare: list[Speed]) -> dict[str, Any]:
    """Medians, and the ratios to what onnxruntime alone did in the same round."""
    row: dict[str, Any] = {"name": name}
    for figure in ("per_second", "per_cpu_second"):
        values = [getattr(each, figure) for each in mine]
        of_bare = [value / getattr(each, figure) for value, each in zip(values, bare, strict=True)]
        row[figure] = median(values)
        row[f"{figure}_of_bare"] = median(of_bare)
        row[f"{figure}_of_bare_spread"] = [min(of_bare), max(of_bare)]
    return row | {"rounds": [asdict(each) for each in mine]}


def make(folder: Path, manifest: Manifest, files: int, steps: int) -> None:
    """Recordings of noise, in files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    names = [channel.name for channel in manifest.contract.input.channels]
    for number in range(files):
        signals = random.standard_normal((len(names), steps)).astype(np.float32)
        table = pa.table(dict(zip(names, signals, strict=True)))
        pq.write_table(table, folder / f"{number:05}.parquet", use_dictionary=False)


def _bare(folder: Path, manifest: Manifest) -> Speed:
    window = np.random.default_rng(0).standard_normal((LONGEST, manifest.contract.input.width))
    session = BareSession(folder, manifest, cores())
    batch = MANY if library() is None else FEW
    told = session.measure(window.astype(np.float32), batch, SECONDS, sys.maxsize)
    return Speed(told.per_second * LONGEST, told.per_cpu_second * LONGEST)


def _command(source: Path, target: Path) -> list[str]:
    return [sys.executable, "-c", _SCORES, "score", str(source), str(target), "--every"]


def _variables(models: Path, model: str) -> dict[str, str]:
    paths = os.pathsep.join(sys.path)
    return os.environ | {"LARNN_MODELS": str(models), "LARNN_MODEL": model, "PYTHONPATH": paths}


def scored(source: Path, target: Path, models: Path, model: str) -> Speed:
    """By a process of its own, whose CPU time and memory are all that it used, its start too."""
    command, variables = _command(source, target), _variables(models, model)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode or (match := _RATE.search(done.stderr)) is None:
        raise SystemExit(done.stderr)
    steps, rate = (float(number.replace(",", "")) for number in match.groups())
    cpu, peak_kib = map(float, done.stdout.split())
    return Speed(rate, steps / cpu, peak_kib / 1024)


def _killed(source: Path, target: Path, whole: Path, models: Path, model: str) -> dict[str, Any]:
    """Killed in the middle and run again: what it did not do twice, and that nothing lacks."""
    half = sum(1 for _ in source.iterdir()) // 2
    command, variables = _command(source, target), _variables(models, model)
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(target.glob(_ANSWERS))) < half:
            time.sleep(0.01)
        process.kill()
    kept = len(list(target.glob(_ANSWERS)))
    scored(source, target, models, model)
    return {"kept_of_a_kill": kept, "equal_after_a_kill": equal(whole, target)}


def _in_ray(
    source: Path, target: Path, whole: Path, models: Path, model: str, steps: int
) -> dict[str, Any]:
    """On a cluster of this machine that runs already; the workers start within the time."""
    command = [sys.executable, "-c", _IN_RAY, str(source), str(target), str(RAY_WORKERS)]
    told = subprocess.run(
        command, env=_variables(models, model), check=True, stdout=subprocess.PIPE, text=True
    )
    seconds = float(told.stdout.split()[-1])
    return {
        "ray_workers": RAY_WORKERS,
        "ray_per_second": steps / seconds,
        "ray_equal": equal(whole, target),
    }


def equal(one: Path, other: Path) -> bool:
    """Whether two folders have the same answers: rows, probabilities but for CLOSE, as runs of
    other sizes add in another order, and labels but where two are as likely by that."""
    names = sorted(path.name for path in one.glob(_ANSWERS))
    return names == sorted(path.name for path in other.glob(_ANSWERS)) and all(
        _are_equal(pq.read_table(one / name), pq.read_table(other / name)) for name in names
    )


def _are_equal(mine: pa.Table, theirs: pa.Table) -> bool:
    if mine.schema != theirs.schema or mine["row"] != theirs["row"]:
        return False
    labels = [table["label"].cast(pa.string()).to_numpy() for table in (mine, theirs)]
    one, other = map(_probabilities, (mine, theirs))
    second, first = np.sort(one[:, labels[0] != labels[1]], axis=0)[-2:]
    return np.allclose(one, other, rtol=0, atol=CLOSE) and bool((first - second <= 2 * CLOSE).all())


def _probabilities(table: pa.Table) -> Floats:
    """[labels, rows]"""
    return np.stack([table[name].to_numpy() for name in table.column_names if name[:2] == "p_"])
