"""A tokenizer trained on texts, in the file that the service reads."""

from __future__ import annotations

import io
from collections.abc import Sequence

import sentencepiece
import torch
from torch import Tensor

TOKENIZER_FILE = "tokenizer.model"
SAMPLED = 5_000
"""Texts that it is trained on, drawn at random."""


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> bytes:
    """Pieces of words, of any case alike; none reaches over a space."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=vocabulary,
        model_type="bpe",
        normalization_rule_name="nmt_nfkc_cf",
        input_sentence_size=SAMPLED,
        shuffle_input_sentence=True,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def encode(tokenizer: bytes, texts: Sequence[str]) -> list[Tensor]:
    """int64 [tokens] for each text; one unknown token where there is none."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    return [torch.tensor(ids or [processor.unk_id()]) for ids in processor.encode(list(texts))]
