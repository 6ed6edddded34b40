"""MNIST pixel by pixel: 784 steps of one grey value."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.errors import DataError
from larnn_export.data.uci_har import data_root

FOLDER = "mnist"
STEPS = 784
IMAGES, LABELS = 2051, 2049
FILES = {"train": "train", "test": "t10k"}


def load_mnist(
    split: str, path: Path | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """ "train" or "test": pixels [images, 784, 1] from 0 to 1, row by row, and digits [images].

    Raises DataError where the original files are missing or damaged.
    """
    images = _read(split, "images-idx3", IMAGES, 16, path).reshape(-1, STEPS, 1)
    labels = _read(split, "labels-idx1", LABELS, 8, path)
    if len(images) != len(labels):
        raise DataError(f"{split}: {len(images)} images, but {len(labels)} labels")
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _read(split: str, what: str, magic: int, header: int, path: Path | None) -> NDArray[np.uint8]:
    file = data_root(path) / FOLDER / f"{FILES[split]}-{what}-ubyte.gz"
    try:
        data = gzip.decompress(file.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{file} does not exist. Put the four original files of the MNIST database of "
            f"handwritten digits into the folder {FOLDER} and name the folder above with --data "
            "or LARNN_DATA."
        ) from None
    except (OSError, EOFError) as error:
        raise DataError(f"{file} is damaged: {error}") from error
    if len(data) < header or struct.unpack_from(">I", data) != (magic,):
        raise DataError(f"{file} does not start with the number {magic}")
    return np.frombuffer(data, dtype=np.uint8, offset=header)
