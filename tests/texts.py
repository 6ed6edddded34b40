"""A small network that reads texts, published with a tokenizer of its own; nothing is trained."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from larnn_export.families.rra import RRAConfig
from larnn_export.graph import build_graph
from larnn_export.manifests import graph_entry, save_manifest
from larnn_export.networks import RecurrentClassifier
from larnn_export.tasks.publish import text_contract
from larnn_export.tokenizer import TOKENIZER_FILE, train_tokenizer
from larnn_service.contract import Manifest
from tests.networks import random_network

VOCABULARY = 60
SENTENCES = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen jugs"]
CONFIG = RRAConfig(
    channels=1,
    vocabulary=VOCABULARY,
    classes=2,
    hidden_size=8,
    layers=1,
    window_size=3,
)


@cache
def tokenizer() -> bytes:
    return train_tokenizer(SENTENCES * 20, VOCABULARY)


@cache
def network() -> RecurrentClassifier:
    return random_network(CONFIG)


def publish(root: Path, name: str = "reader", **vocabulary: Any) -> Path:
    """Write root/<name>/1/; `vocabulary` overwrites fields of the contract's."""
    contract = text_contract(network(), tokenizer())
    assert contract.vocabulary is not None
    changed = contract.vocabulary.model_copy(update=vocabulary)
    contract = contract.model_copy(update={"vocabulary": changed})
    graph = build_graph(network(), contract).SerializeToString(deterministic=True)
    manifest = Manifest(
        name=name,
        version=1,
        description="reads texts",
        contract=contract,
        graph=graph_entry(graph),
        network={},
    )
    folder = root / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / TOKENIZER_FILE).write_bytes(tokenizer())
    save_manifest(folder, manifest)
    return folder
