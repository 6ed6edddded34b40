"""What is written of models of every kind, and that a data set's reader takes it as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from larnn_export.data import DataError
from larnn_export.data.described import read_windows
from larnn_export.data.description import Description, read_description
from larnn_service.contract import Channel, Contract, Input, Manifest, Vocabulary
from larnn_service.engine.capture.description import described
from larnn_service.engine.capture.folder import Folder
from larnn_service.engine.capture.stretch import Rows, Stretch
from larnn_service.engine.capture.writer import Writer
from larnn_service.inputs import Frame
from larnn_service.interfaces import Steps
from larnn_service.outputs import classes
from tests import captured, many_outputs, toy
from tests.engine.bench import MANIFEST

WHEN = 1_800_000_000.25


def manifest(contract: Contract) -> Manifest:
    return MANIFEST.model_copy(update={"contract": contract})


def written(root: Path, contract: Contract, steps: Steps, streams: int = 1) -> Path:
    """The folder of the version, and these steps of streams; the labels take turns in halves."""
    folder = Folder(root)
    folder.prepare()
    writer, count = Writer(folder), len(steps)
    outputs = np.zeros((count, contract.columns), np.float32)
    outputs[: count // 2, 0] = 1
    outputs[count // 2 :, 1] = 1
    for number in range(streams):
        stretch = Stretch(manifest(contract), f"{number:012x}", "", 7, 0)
        assert writer.write([Rows(stretch, 0, count, steps, outputs, WHEN)]) == "written"
    return root / "toy" / "1"


def measured(rows: int, width: int = 2) -> Steps:
    return np.random.default_rng(1).normal(size=(rows, width)).astype(np.float32)


def test_a_description_is_read_and_its_windows_are_the_steps(tmp_path: Path) -> None:
    steps = measured(1200)
    version = written(tmp_path, toy.CONTRACT, steps, streams=2)
    windows = read_windows(version / "dataset.toml")
    assert [(each.name, each.unit) for each in windows.description.channels] == [
        ("left", "g"),
        ("right", "g"),
    ]
    assert windows.description.sample_rate_hz == 50 and windows.description.window.steps == 128
    first = next(n for n, origin in enumerate(windows.origins) if origin.first_row == 64)
    assert (windows.signals[first] == steps[64:192]).all()
    assert {origin.label for origin in windows.origins} == {"LEFT", "RIGHT"}
    assert len({origin.subject for origin in windows.origins}) == 2
    assert len(windows.split("test").labels) and len(windows.split("train").labels)


def test_the_columns_of_a_classifier(tmp_path: Path) -> None:
    written(tmp_path, toy.CONTRACT, measured(4))
    [file] = captured.files(tmp_path)
    table = pq.read_table(file)
    assert table.column_names == [
        *("stream", "owner", "recording", "position", "answered", "left", "right"),
        *("label", "p_LEFT", "p_RIGHT", "p_LONG"),
    ]
    assert table["recording"][0].as_py() == file.stem
    assert table["answered"][0].as_py().timestamp() == WHEN


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        ("sums", ["channel.left", "channel.right", "left", "right"]),
        ("signs", ["left", "right", "p_LEFT", "p_RIGHT"]),
        ("steps_seen", ["left", "right", "output"]),
    ],
)
def test_channels_and_answers_of_one_name_have_two_columns(
    tmp_path: Path, first: str, columns: list[str]
) -> None:
    steps = measured(40)
    version = written(tmp_path, many_outputs.contract(first), steps)
    [file] = captured.files(tmp_path)
    assert pq.read_schema(file).names[5:] == columns
    rows = pl.read_parquet(file, columns=columns[:2])
    assert (rows.to_numpy() == steps).all()
    description = read_description(version / "dataset.toml")
    assert [each.column or each.name for each in description.channels] == columns[:2]
    with pytest.raises(DataError, match="no column 'label'"):
        read_windows(version / "dataset.toml")


@pytest.mark.parametrize(
    ("contract", "steps", "columns"),
    [
        (
            toy.CONTRACT.model_copy(
                update={
                    "input": Input(channels=(Channel(name="token", unit=""),)),
                    "vocabulary": Vocabulary(size=5),
                    "sample_rate_hz": None,
                }
            ),
            np.array([[1], [4]]),
            ["token"],
        ),
        (
            toy.CONTRACT.model_copy(update={"input": Input(frame=Frame(samples=3, unit="1"))}),
            measured(2, 3),
            ["sample0", "sample1", "sample2"],
        ),
    ],
    ids=["tokens", "frames"],
)
def test_steps_of_every_kind_are_kept(
    tmp_path: Path, contract: Contract, steps: Steps, columns: list[str]
) -> None:
    version = written(tmp_path, contract, steps)
    [file] = captured.files(tmp_path)
    assert (pl.read_parquet(file, columns=columns).to_numpy() == steps).all()
    assert [each.name for each in read_description(version / "dataset.toml").channels] == columns


def test_any_name_can_be_described() -> None:
    names = ('a "b"', "c\\d", "tab\t", "\x7f", "ä°→", "label")
    contract = toy.CONTRACT.model_copy(
        update={
            "input": Input(channels=tuple(Channel(name=name, unit=name) for name in names)),
            "outputs": classes(names),
        }
    )
    told = Description.model_validate(tomllib.loads(described(manifest(contract))))
    assert tuple(each.name for each in told.channels) == names
    assert told.channels[-1].column == "channel.label"


def test_a_description_that_somebody_has_changed_stays(tmp_path: Path) -> None:
    version = written(tmp_path, toy.CONTRACT, measured(4))
    (version / "dataset.toml").write_text("theirs")
    written(tmp_path, toy.CONTRACT, measured(4))
    assert (version / "dataset.toml").read_text() == "theirs"
