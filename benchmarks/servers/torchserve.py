"""TorchServe's handler."""

from __future__ import annotations

import io

import numpy as np

from benchmarks.servers.graph import Graph


class Handler:
    def initialize(self, context):
        self.graph = Graph()

    def handle(self, requests, context):
        x = np.concatenate([self.decode(asked.get("body") or asked["data"]) for asked in requests])
        return [{"logits": logits} for logits in self.graph.run(x).tolist()]

    def decode(self, body):
        if isinstance(body, dict):
            return np.array(body["x"], dtype=np.float32)
        return np.load(io.BytesIO(body))
