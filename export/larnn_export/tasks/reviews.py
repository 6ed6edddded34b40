"""IMDB sentiment: a review read token by token, positive or negative after the last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.data.imdb import LABELS, load_imdb
from larnn_export.families import NetworkConfig, configure
from larnn_export.networks import RecurrentClassifier
from larnn_export.tasks.task import TEST_BATCH, Batch, Budget, Measured, Shuffled, share_right
from larnn_export.tokenizer import TOKENIZER_FILE, encode, train_tokenizer

MOST_TOKENS = 200
"""Of a review, its last: opinions are summed up at the end."""
VOCABULARY = 4_000
BUDGET = Budget(updates=400, batch_size=64, learning_rate=5e-3, decay=True, measure_every=50)


class Reviews:
    """The tokenizer is trained on the training reviews."""

    measured: Measured = "accuracy"

    def __init__(
        self,
        data: Path | None = None,
        budget: Budget = BUDGET,
        hidden_size: int = 48,
        tested: int = 2_000,
        vocabulary: int | None = None,
    ) -> None:
        self.name, self.budget, self.tested = "imdb", budget, tested
        self._hidden_size, self._vocabulary = hidden_size, vocabulary or VOCABULARY
        texts, labels = load_imdb("train", data)
        self._tokenizer = train_tokenizer(texts, self._vocabulary)
        self._train, self._labels = encode(self._tokenizer, texts), torch.tensor(labels)
        self._rows = Shuffled(len(texts), budget.batch_size)
        texts, labels = load_imdb("test", data)
        chosen = np.random.default_rng(0).permutation(len(texts))[:tested]
        ids = encode(self._tokenizer, [texts[row] for row in chosen])
        tested_labels = torch.tensor(labels)[chosen]
        by_length = torch.tensor([len(each) for each in ids]).argsort()
        self._test = [
            _batch([ids[row] for row in rows.tolist()], tested_labels[rows])
            for rows in by_length.split(TEST_BATCH)
        ]

    def network(self, family: str) -> NetworkConfig:
        return configure(
            {
                "family": family,
                "channels": 1,
                "vocabulary": self._vocabulary,
                "classes": len(LABELS),
                "hidden_size": self._hidden_size,
                "layers": 1,
                "window_size": 10,
                "dropout": 0.2,
            }
        )

    def batch(self, generator: torch.Generator) -> Batch:
        rows = self._rows.next(generator).tolist()
        return _batch([self._train[row] for row in rows], self._labels[rows])

    def loss(self, answers: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(answers, target)

    def measure(self, network: RecurrentClassifier) -> float:
        return share_right(network, self._test)

    def save(self, run: Path) -> None:
        """The tokenizer."""
        (run / TOKENIZER_FILE).write_bytes(self._tokenizer)


def _batch(reviews: list[Tensor], labels: Tensor) -> Batch:
    """Padded to the longest; what follows a row's last token is never looked at."""
    cut = [review[-MOST_TOKENS:] for review in reviews]
    x = torch.nn.utils.rnn.pad_sequence(cut, batch_first=True)
    return Batch(x[..., None], torch.tensor([len(review) - 1 for review in cut]), labels)
