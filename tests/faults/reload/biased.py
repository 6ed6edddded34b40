"""A version of a model that answers otherwise, of the same contract."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from larnn_service.contract import LOGITS, MANIFEST_FILE, GraphFile, Manifest


def write_biased(source: Path, target: Path) -> None:
    """models/NAME/VERSION at `target`, whose logits are the source's plus 0, 1, 2, …"""
    manifest = Manifest.model_validate_json((source / MANIFEST_FILE).read_bytes())
    model = onnx.load(source / manifest.graph.file)
    bias = np.arange(len(manifest.contract.labels), dtype=np.float32)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == LOGITS:
                node.output[place] = "before_bias"
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias_of_version"))
    model.graph.node.append(helper.make_node("Add", ["before_bias", "bias_of_version"], [LOGITS]))
    data = model.SerializeToString()
    graph = GraphFile(file=manifest.graph.file, sha256=hashlib.sha256(data).hexdigest())
    changed = manifest.model_copy(update={"version": int(target.name), "graph": graph})
    shutil.copytree(source, target)
    (target / graph.file).write_bytes(data)
    (target / MANIFEST_FILE).write_text(changed.model_dump_json(indent=1) + "\n")
