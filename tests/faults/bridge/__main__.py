"""python -m tests.faults.bridge: devices, a broker, bridges and the service, which all break."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.measure import Output, machine, report
from tests.faults import recordings
from tests.faults.bridge import mosquitto, tansu
from tests.faults.bridge.devices import Devices, verdict
from tests.faults.bridge.processes import Process
from tests.faults.bridge.run import Run, faults_of
from tests.faults.kill.cluster import Replica
from tests.faults.kill.truth import MODEL, uninterrupted

BROKERS = {"kafka": tansu, "mqtt": mosquitto}


@dataclass(frozen=True)
class Wanted:
    """What a run is of."""

    broker: str
    messages: int
    devices: int
    chunk: int
    """Steps of a message."""
    kills: int = 0
    by_hand: bool = False
    """A loop that calls onnxruntime in place of bridge and service."""
    rate: float | None = 0.0
    """Messages a second; 0: as fast as they go. None: all of them are at the broker before."""
    ahead: int = 0
    """Messages at most that are sent and not answered; 0: as many as there are."""
    sequence: bool = True
    bridges: int = 1
    checkpoint_steps: int = 100
    seed: int = 0


def main(
    kinds: Annotated[list[str], typer.Argument(help="kafka, mqtt")],
    messages: Annotated[int, typer.Option(help="of all devices together")] = 100_000,
    devices: Annotated[int, typer.Option(help="that send")] = 100,
    chunk: Annotated[int, typer.Option(help="steps of a message")] = 10,
    kills: Annotated[int, typer.Option(help="of bridge, of service, and faults of broker")] = 20,
    ahead: Annotated[int, typer.Option(help="messages without an answer, at most; 0: all")] = 0,
    bridges: Annotated[int, typer.Option(help="that share the partitions; of Kafka")] = 1,
    checkpoint: Annotated[int, typer.Option(help="steps between a stream's checkpoints")] = 100,
    sequence: Annotated[
        bool, typer.Option(help="messages have numbers; without, all are sent before the faults")
    ] = True,
    quiet: Annotated[int, typer.Option(help="messages of runs without faults; 0: none")] = 10_000,
    rate: Annotated[float, typer.Option(help="messages a second of the latencies' run")] = 50,
    keep: Annotated[Path | None, typer.Option(help="a folder for what the processes say")] = None,
    seed: Annotated[int, typer.Option(help="of what is killed when")] = 0,
    output: Output = None,
) -> None:
    """Every message of every device is counted once and answered, whatever is killed; and a bridge
    that is told to stop when its broker answers no more does. Then, without faults, latencies at a
    rate, and how fast it is beside a loop that calls onnxruntime by hand."""
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        proof = Wanted(kind, messages, devices, chunk, kills, sequence=sequence, bridges=bridges)
        proof = replace(proof, checkpoint_steps=checkpoint, seed=seed)
        proof = replace(proof, rate=0.0 if sequence else None, ahead=ahead if sequence else 0)
        for wanted in [proof, *(_quiet(proof, quiet, rate) if quiet else ())]:
            print(wanted, flush=True)
            with ExitStack() as stack:
                place = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                folder = place / str(len(rows))
                folder.mkdir(parents=True)
                rows.append(_row(wanted, folder))
                print(rows[-1], flush=True)
    report("bridge", machine() | {"command": "bridge", "rows": rows}, output)
    if any(row[fault] for row in rows for fault in ("lost", "twice", "different", "errors")):
        raise typer.Exit(1)


def _quiet(proof: Wanted, messages: int, rate: float) -> Iterator[Wanted]:
    """The runs without faults."""
    one = replace(proof, messages=messages, kills=0, ahead=0, sequence=True, bridges=1)
    yield replace(one, rate=rate)
    for by_hand in (False, True):
        yield replace(one, rate=None, by_hand=by_hand)


def _row(wanted: Wanted, folder: Path) -> dict[str, Any]:
    """What has come of a run."""
    chunk, each = wanted.chunk, wanted.messages // wanted.devices
    signals = recordings.example(wanted.devices, each * chunk)
    senders, ends = Devices(signals, chunk), None
    with ExitStack() as stack:
        broker = stack.enter_context(BROKERS[wanted.broker].running(folder))
        if wanted.by_hand:
            by_hand = "tests.faults.bridge.by_hand", [wanted.broker, broker.address]
            processes, replica = [Process(*by_hand, folder / "by_hand.log")], None
        else:
            replica = _replica(wanted, folder, stack)
            processes = list(_bridges(wanted, folder, broker, replica))
        for process in processes:
            stack.callback(process.kill)
        faults = faults_of(wanted.kills, wanted.seed)
        run = Run(
            senders, broker, processes, replica, faults, wanted.rate, ahead=wanted.ahead, tell=_tell
        )
        asyncio.run(run.go())
        if not wanted.by_hand:
            broker.leave()
            ends = round(max(process.end() for process in processes), 1)
    found = verdict(senders, uninterrupted(list(signals), steps=chunk))
    if not found.holds:
        for log in folder.glob("*.log"):
            print(log, *log.read_text(errors="replace").splitlines()[-40:], sep="\n")
    answers = max(run.answers, 1)  # all of few may come together
    latencies = senders.latencies() if wanted.rate is not None else []
    p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (None, None)
    return {
        **asdict(wanted),
        **asdict(found),
        "seconds": round(run.seconds, 1),
        "per_second": round(answers / run.seconds),
        "cpu_us": None if wanted.kills else round(1e6 * run.cpu_seconds / answers),
        "p50_ms": p50 and round(1e3 * float(p50), 1),
        "p99_ms": p99 and round(1e3 * float(p99), 1),
        "ends_without_broker_s": ends,
    }


def _tell(fault: str) -> None:
    print(fault, flush=True)


def _replica(wanted: Wanted, folder: Path, stack: ExitStack) -> Replica:
    replica = Replica(
        {
            "LARNN_MODEL": MODEL,
            "LARNN_STORE": f"sqlite:///{folder}/streams.db",
            "LARNN_CHECKPOINT_STEPS": str(wanted.checkpoint_steps),
        }
    )
    stack.callback(replica.end)
    replica.start()
    return replica


def _bridges(wanted: Wanted, folder: Path, broker: Any, replica: Replica) -> Iterator[Process]:
    description = folder / "bridge.toml"
    text = BROKERS[wanted.broker].DESCRIPTION
    if wanted.sequence:
        text = text.replace("{ steps", '{ sequence = "n", steps')
    description.write_text(text)
    command = [*broker.command(description), "--url", replica.url, "--progress", "5"]
    for index in range(wanted.bridges):
        yield Process("cli", command, folder / f"bridge{index}.log")


if __name__ == "__main__":
    typer.run(main)
