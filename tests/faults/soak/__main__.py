"""python -m tests.faults.soak: live streams for hours, attackers beside them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from benchmarks.measure import Output, Picture
from tests.faults.soak.picture import draw
from tests.faults.soak.run import soak


def main(
    minutes: Annotated[float, typer.Option(help="how long")] = 120.0,
    streams: Annotated[int, typer.Option(help="live streams at once")] = 200,
    attackers: Annotated[bool, typer.Option(help="each attack in turn, all the time")] = True,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Is nothing lost, and do neither memory nor latency grow?"""
    outcome = soak(60 * minutes, streams, attackers)
    before, after = outcome.quarters(outcome.memory)
    print(f"{minutes:g} minutes, {outcome.counts}, attacks {outcome.attacks}")
    print(f"resident MiB in the second and in the last quarter: {before:.0f}, {after:.0f}")
    for name, figures in (("p50", outcome.p50), ("p99", outcome.p99)):
        before, after = outcome.quarters(figures)
        print(f"{name} of chunks in them: {before:.1f}, {after:.1f} ms")
    print(*outcome.faults or ["nothing was lost, nothing grew"], sep="\n")
    if output is not None:
        output.write_text(json.dumps(outcome.record(), indent=1) + "\n")
    if picture is not None:
        draw(outcome, picture)
    raise typer.Exit(bool(outcome.faults))


if __name__ == "__main__":
    typer.run(main)
