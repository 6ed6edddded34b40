"""A LARNN of any size with random weights: to measure by, not to classify with."""

from __future__ import annotations

from pathlib import Path

import torch

from larnn_export.graph import build_graph
from larnn_export.manifests import graph_entry, save_manifest
from larnn_export.networks import NetworkConfig, RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service.contract import Manifest


def write_larnn(models: Path, name: str, config: NetworkConfig) -> None:
    """Write models/<name>/1/ with the service's graph of such a network."""
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    contract = contract_of(network)
    graph = build_graph(network, contract).SerializeToString(deterministic=True)
    manifest = Manifest(
        name=name,
        version=1,
        description="random weights, to measure by",
        contract=contract,
        graph=graph_entry(graph),
        network=config.model_dump(mode="json"),
    )
    folder = models / name / "1"
    folder.mkdir(parents=True)
    (folder / manifest.graph.file).write_bytes(graph)
    save_manifest(folder, manifest)
