"""SentencePiece behind the Tokenizer protocol: the only import of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from larnn_service.contract import ContractError, Vocabulary


class SentencePieceTokenizer:
    """No token reaches over a space, so text cut at spaces gives the same tokens as whole."""

    def __init__(self, file: bytes, vocabulary: Vocabulary) -> None:
        """Raises ContractError where the file is not what the vocabulary says."""
        from sentencepiece import SentencePieceProcessor  # few models need it

        try:
            self._processor = SentencePieceProcessor(model_proto=file)
        except RuntimeError as error:
            raise ContractError("vocabulary.file", "is no SentencePiece model") from error
        if (size := self._processor.get_piece_size()) != vocabulary.size:
            raise ContractError("vocabulary.size", f"{vocabulary.size}, but the file has {size}")

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.array(self._processor.encode(text), dtype=np.int64).reshape(-1, 1)
