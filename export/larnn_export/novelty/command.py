"""`python -m export novelty`: a published network, with a score of how unlike its training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.changes import ROWS
from larnn_export.data import DataError
from larnn_export.data.hapt import load_recordings
from larnn_export.novelty.choice import CANDIDATES, choose
from larnn_export.novelty.publishing import publish_with_novelty
from larnn_export.placing import CHECKPOINT_FOLDER, PublishError
from larnn_export.robustness_command import MODEL
from larnn_export.trained_on import known_to
from larnn_export.verify import ParityError

OLD = MODEL.parent / "1"


def novelty(
    version: Annotated[Path, typer.Argument(help="of a network of six raw channels")] = OLD,
    data: Annotated[Path | None, typer.Option(help="folder that holds hapt")] = None,
    number: Annotated[int, typer.Option(min=1, help="of the new version")] = 2,
    replace: Annotated[bool, typer.Option(help="put it in place of that version")] = False,
    first: Annotated[
        int | None, typer.Option(min=1, help="so many of the candidates; all if left out")
    ] = None,
) -> None:
    """Choose and calibrate a novelty by people of training, and publish it as a new version.

    Nobody else's recordings are read. The logits stay what they were.
    """
    try:
        _, run = checkpoint.read(version / CHECKPOINT_FOLDER, checkpoint.FINISHED)
        everybody = load_recordings(data)
        known = known_to(run, {each.subject for each in everybody})
        mine = [each for each in everybody if each.subject in known]
        score, figures = choose(mine, ROWS[1:], CANDIDATES[:first])
        for each in figures["candidates"]:
            Console().print(f"{each['margin']:+.4f} {each}", soft_wrap=True, markup=False)
        target = publish_with_novelty(version, number, score, figures, mine, replace)
    except (DataError, OSError, ValueError, PublishError, ParityError) as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"published {target}: unsure above {score.threshold:.3f}")
