"""The Large Movie Review Dataset: texts, positive or negative."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from larnn_export.data.errors import DataError
from larnn_export.data.uci_har import data_root

FOLDER = "imdb"
LABELS = ("negative", "positive")
TERMS = (
    "The README inside the data set names no licence and asks to cite its paper. The reviews are "
    "texts of IMDb's users."
)


def load_imdb(split: str, path: Path | None = None) -> tuple[list[str], list[int]]:
    """ "train" or "test": texts without line breaks' markup, and an index into LABELS each.

    Raises DataError where the file is missing or damaged.
    """
    file = data_root(path) / FOLDER / f"imdb_{split}.jsonl.gz"
    texts, labels = [], []
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                review = json.loads(line)
                texts.append(review["text"].replace("<br />", " "))
                labels.append(int(review["label"]))
    except FileNotFoundError:
        raise DataError(
            f"{file} does not exist. Get the Large Movie Review Dataset v1.0, write its labelled "
            f"reviews as lines of JSON (text, label: 0 negative, 1 positive) into "
            f"{FOLDER}/imdb_train.jsonl.gz and {FOLDER}/imdb_test.jsonl.gz and name the folder "
            "above with --data or LARNN_DATA."
        ) from None
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"{file} is damaged: {error!r}") from error
    return texts, labels
