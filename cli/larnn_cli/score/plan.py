"""From options to a scorer and its files: the command's and Ray's."""

from __future__ import annotations

from typing import Any, NamedTuple

from larnn_cli.score.places import Folder, Job
from larnn_cli.score.question import ask, load
from larnn_cli.score.scorer import Scorer, batch_of
from larnn_export.data import DataError


class Plan(NamedTuple):
    """What is to be done."""

    scorer: Scorer
    jobs: list[Job]
    """Files without answers."""
    done: int
    """Files that have answers."""


def plan(
    source: str,
    target: str,
    *,
    model: str | None = None,
    version: int | None = None,
    threads: int = 1,
    batch: int | None = None,
    **asked: Any,
) -> Plan:
    """Score the files of `source` that have no answers in `target` yet.

    `threads`: runs at a time, each of `batch` recordings, by default of `batch_of`. `asked`: as for
    `ask`. Raises DataError, also where the target has answers to another question or overlaps the
    source, and StartupError.
    """
    question, about = ask(load(model, version, threads), **asked)
    here, there = Folder(source), Folder(target)
    if here.overlaps(there):
        raise DataError(
            f"answers in {target} would be among the recordings in {source}, or these "
            "among them; name a folder beside it"
        )
    jobs = here.jobs()
    there.claim(about)
    done = there.paths()
    rest = [job for job in jobs if job.answers not in done]
    scorer = Scorer(question, here, there, threads, batch or batch_of(question.model))
    return Plan(scorer, rest, len(jobs) - len(rest))
