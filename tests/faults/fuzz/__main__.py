"""python -m tests.faults.fuzz: generated inputs for every door of a running service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.fuzz.run import fuzz


def main(
    inputs: Annotated[int, typer.Option(help="how many are sent")] = 20_000,
    seed: Annotated[int, typer.Option(help="the same draws the same")] = 0,
    kernels: Annotated[bool, typer.Option(help="with the native library")] = True,
    sqlite: Annotated[bool, typer.Option(help="over SQLite, else in memory")] = False,
    senders: Annotated[int, typer.Option(help="processes that send side by side")] = 2,
    minutes: Annotated[float, typer.Option(help="send no more after so long")] = 600.0,
    output: Annotated[Path | None, typer.Option(help="add the figures to this JSON")] = None,
) -> None:
    """HTTP, websocket and gRPC: every answer is checked, and a bystander asks all the while."""
    outcome = fuzz(inputs, seed, kernels, sqlite, senders, minutes)
    tally = outcome.tally
    print(f"{tally.sent.total():,} inputs in {outcome.seconds:.0f} s")
    for title, counts in (("sent", tally.sent), ("answers", tally.answers)):
        print(f"{title}:", ", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    for name, figures in outcome.bystander.items():
        print(f"bystander's {name}, ms:", {key: round(value, 1) for key, value in figures.items()})
    print(f"resident {outcome.warm:.0f} MiB when warm, {outcome.after:.0f} at the end")
    print(f"slow inputs again, alone: { ({k: round(v, 1) for k, v in outcome.held.items()}) }")
    for fault in outcome.faults + outcome.late:
        print("FAULT", fault)
    for examples in tally.findings.values():
        print(*examples, sep="\n")
    if output is not None:
        runs = json.loads(output.read_text()) if output.exists() else {}
        name = f"{'native' if kernels else 'graph'}, {'SQLite' if sqlite else 'memory'}"
        runs[name] = {"seed": seed, "senders": senders, **outcome.record()}
        output.write_text(json.dumps(runs, indent=1) + "\n")
    raise typer.Exit(bool(outcome.faults or outcome.late))


if __name__ == "__main__":
    typer.run(main)
