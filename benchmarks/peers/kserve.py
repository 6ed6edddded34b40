"""KServe's Python server: a process for each core; it leaves batching to a sidecar."""

from __future__ import annotations

from benchmarks.peers.asks import OIP
from benchmarks.peers.base import MODEL, ONNXRUNTIME, SERVING, Peer


class KServe(Peer):
    name = "kserve"
    requirements = ("kserve==0.21.0", ONNXRUNTIME)
    health = f"/v2/models/{MODEL}/ready"
    asks = OIP


if SERVING == "kserve":
    from kserve import InferRequest, InferResponse, Model, ModelServer
    from kserve.protocol.infer_type import InferOutput

    from benchmarks.peers.graph import PORT, WORKERS, Graph

    class Window(Model):
        def __init__(self) -> None:
            super().__init__(MODEL)
            self.load()

        def load(self) -> bool:
            self.graph = Graph()
            self.ready = True
            return True

        def predict(
            self, payload: InferRequest, headers=None, response_headers=None
        ) -> InferResponse:
            logits = self.graph.run(payload.inputs[0].as_numpy())
            output = InferOutput("logits", list(logits.shape), "FP32")
            binary = payload.use_binary_outputs
            output.set_data_from_numpy(logits, binary_data=binary)
            return InferResponse(payload.id or "1", self.name, [output], use_binary_outputs=binary)

    if __name__ == "__main__":
        server = ModelServer(
            http_port=PORT, workers=WORKERS, enable_grpc=False, access_log_format=None
        )
        server.start([Window()])
