"""python -m tests.faults.attack: every attack on every kind of service, as a table."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from tests import live, toy
from tests.faults.attack.attacks import ATTACKS
from tests.faults.attack.harness import LIMITS, Result, as_json, attacked

TITLES = ("attack", "HTTP", "longest", "ws", "longest", "before", "most", "after", "told")
LINE = "{:42} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}  {}"


def main(
    seconds: Annotated[float, typer.Option(help="of each attack")] = 5.0,
    only: Annotated[str, typer.Option(help="attacks whose name holds this")] = "",
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Bystanders' p99 and longest waits in ms, and MiB of memory before, at most, and after."""
    results: dict[str, list[Result]] = {}
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        models = Path(name) / "models"
        toy.publish(models)
        kinds: dict[str, dict[str, Any]] = {
            "one process": {},
            "without kernels": {"kernels_level": "none"},
            "two workers": {"workers": 2, "store": f"sqlite:///{name}/streams.db"},
        }
        for kind, settings in kinds.items():
            port = {} if "workers" in settings else {"grpc_port": 0}
            with live.process(models=models, model="toy", **LIMITS, **settings, **port) as process:
                print(f"\n{kind}\n" + LINE.format(*TITLES))
                for attack in ATTACKS:
                    if only not in attack.name or ("gRPC" in attack.name and not process.grpc):
                        continue
                    result = attacked(process, attack, seconds)
                    results.setdefault(kind, []).append(result)
                    told = " ".join(f"{status}:{count}" for status, count in result.answers.items())
                    found = "; ".join(result.faults)
                    faults += bool(found)
                    row = [f"{value:.1f}" for value in result.figures]
                    line = LINE.format(attack.name, *row, f"{told} {found}")
                    print(line, flush=True)
    if output is not None:
        output.write_text(as_json(results))
    raise typer.Exit(bool(faults))


if __name__ == "__main__":
    typer.run(main)
