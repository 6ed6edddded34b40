"""The same as a step of Ray Data, for more than one machine: docs/score.md."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_cli.score.places import Job
from larnn_cli.score.plan import plan


class ScoreFiles:
    """For `map_batches` over rows with a `file`: scores them, and says of each how many steps it
    had, and why it has no answers if it has none."""

    def __init__(self, source: str, target: str, **options: Any) -> None:
        """As `plan`. Both places are the same for every worker: a bucket, or a shared folder."""
        self._scorer = plan(source, target, **options).scorer

    def __call__(self, rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        files = [str(file) for file in rows["file"]]
        steps, problems = dict.fromkeys(files, 0), dict.fromkeys(files, "")
        with closing(self._scorer.score(Job(file) for file in files)) as each:
            for told in each:
                steps[told.job.path] += told.steps
                problems[told.job.path] += told.problem
        return {
            "file": np.array(files),
            "steps": np.array([steps[file] for file in files]),
            "problem": np.array([problems[file] for file in files]),
        }


def files(source: str, target: str, **options: Any) -> list[dict[str, str]]:
    """Those that have no answers yet, a row each. Arguments and errors as `plan`."""
    return [{"file": job.path} for job in plan(source, target, **options).jobs]
