"""A version of a model that answers otherwise, of the same contract."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from larnn_export.manifests import graph_entry, read_manifest, save_manifest
from larnn_service.contract import LOGITS


def write_biased(source: Path, target: Path) -> None:
    """models/NAME/VERSION at `target`, whose logits are the source's plus 0, 1, 2, …"""
    manifest = read_manifest(source)
    model = onnx.load(source / manifest.graph.file)
    bias = np.arange(len(manifest.contract.labels), dtype=np.float32)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == LOGITS:
                node.output[place] = "before_bias"
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias_of_version"))
    model.graph.node.append(helper.make_node("Add", ["before_bias", "bias_of_version"], [LOGITS]))
    data = model.SerializeToString()
    graph = graph_entry(data, manifest.graph.file)
    changed = manifest.model_copy(update={"version": int(target.name), "graph": graph})
    shutil.copytree(source, target)
    (target / graph.file).write_bytes(data)
    save_manifest(target, changed)
