"""The tokens of a model that reads text."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from larnn_service.outputs import Strict
from larnn_service.tensors import File, FileName, Sha256


class Vocabulary(Strict):
    """Tokens in place of measured values: each step is one, from 0 to `size` - 1."""

    size: int = Field(ge=2, le=2**24)
    """At most what float32 counts exactly."""
    file: FileName | None = Field(None, exclude_if=lambda value: value is None)
    """What makes tokens of text: a SentencePiece model beside the manifest. None where clients
    send tokens alone."""
    sha256: Sha256 | None = Field(None, exclude_if=lambda value: value is None)
    """Of the file."""

    @model_validator(mode="after")
    def _a_file_has_a_checksum(self) -> Self:
        if (self.file is None) != (self.sha256 is None):
            raise ValueError("vocabulary: file and sha256 come together, or not at all")
        return self

    @property
    def tokenizer(self) -> File | None:
        """The file, where there is one."""
        if self.file is None or self.sha256 is None:
            return None
        return File(file=self.file, sha256=self.sha256)
