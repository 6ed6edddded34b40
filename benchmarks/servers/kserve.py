"""KServe's model class and server."""

from __future__ import annotations

from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.protocol.infer_type import InferOutput

from benchmarks.servers.graph import PORT, WORKERS, Graph


class Window(Model):
    def __init__(self) -> None:
        super().__init__("window")
        self.load()

    def load(self) -> bool:
        self.graph = Graph()
        self.ready = True
        return True

    def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        logits = self.graph.run(payload.inputs[0].as_numpy())
        output = InferOutput("logits", list(logits.shape), "FP32")
        binary = payload.use_binary_outputs
        output.set_data_from_numpy(logits, binary_data=binary)
        return InferResponse(payload.id or "1", self.name, [output], use_binary_outputs=binary)


if __name__ == "__main__":
    server = ModelServer(http_port=PORT, workers=WORKERS, enable_grpc=False, access_log_format=None)
    server.start([Window()])
