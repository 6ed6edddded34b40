"""Calls of the gRPC port: protobuf messages changed in their fields, or in their bytes."""

from __future__ import annotations

from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb

from larnn_service.endpoints.oip.grpc_status import CODE_KEY, STATUS
from tests.faults.fuzz import protobuf
from tests.faults.fuzz.http_inputs import SPARE
from tests.faults.fuzz.http_wire import PATIENCE, Socket
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.verdicts import Finding, Tally, check_error, hold

_SERVICE = "/inference.GRPCInferenceService/"
_OUR_OWN = {status.name for status in STATUS.values()} - {"INTERNAL"}
_GRPC_OWN = {"UNIMPLEMENTED", "RESOURCE_EXHAUSTED"}
"""What grpc itself answers with: to names that are no call, and to messages that are too large."""


def _infer() -> bytes:
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 3, 2])
    lengths = pb.ModelInferRequest.InferInputTensor(name="lengths", datatype="INT64", shape=[1])
    request = pb.ModelInferRequest(
        model_name="toy", model_version="1", id="mine", inputs=[tensor, lengths]
    )
    request.outputs.add(name="logits")
    request.parameters["sequence_id"].int64_param = 7
    request.parameters["sequence_start"].bool_param = True
    request.parameters["sequence_end"].bool_param = True
    request.parameters["offset"].int64_param = 0
    request.inputs[0].contents.fp32_contents.extend(range(6))
    request.inputs[1].contents.int64_contents.append(3)
    return bytes(request.SerializeToString())


def _raw_infer() -> bytes:
    request = pb.ModelInferRequest.FromString(_infer())
    for tensor in request.inputs:
        tensor.ClearField("contents")
    request.parameters.clear()
    request.raw_input_contents.extend([bytes(24), (3).to_bytes(8, "little")])
    return bytes(request.SerializeToString())


_TOY = pb.ModelReadyRequest(name="toy", version="1").SerializeToString()
_LOAD = pb.RepositoryModelLoadRequest(model_name=SPARE)
_LOAD.parameters["config"].string_param = "{}"
_CALLS: tuple[tuple[str, bytes, int], ...] = (
    ("ModelInfer", _infer(), 30),
    ("ModelInfer", _raw_infer(), 30),
    ("ModelStreamInfer", _infer(), 8),
    ("ModelStreamInfer", _raw_infer(), 8),
    ("ModelReady", _TOY, 3),
    ("ModelMetadata", _TOY, 3),
    ("ModelConfig", _TOY, 3),
    ("ServerLive", b"", 2),
    ("RepositoryIndex", pb.RepositoryIndexRequest(ready=True).SerializeToString(), 3),
    ("RepositoryModelLoad", _LOAD.SerializeToString(), 1),
    ("RepositoryModelUnload", _LOAD.SerializeToString(), 1),
    ("ModelStatistics", _TOY, 1),
)


class GrpcDoor:
    """One channel; messages go over it as bytes, whatever they are."""

    def __init__(self, address: str, tally: Tally) -> None:
        self.given: object = None
        """The input that was sent last."""
        self._address, self._tally = address, tally
        self._channel = grpc.insecure_channel(address)

    def close(self) -> None:
        self._channel.close()

    def calls(self, mutator: Mutator) -> None:
        """A call with one message, or a conversation of some."""
        [(name, good, _)] = mutator.random.choices(_CALLS, [share for *_, share in _CALLS])
        several = mutator.choice(1, 2, 4) if name == "ModelStreamInfer" else 1
        made = [
            good if mutator.chance(0.1) else protobuf.changed(good, mutator) for _ in range(several)
        ]
        made = [b"" if "Unload" in name and b"toy" in each else each for each in made]
        self.given = name, made
        self._tally.sent["gRPC"] += len(made)
        try:
            if name == "ModelStreamInfer":
                stream: Any = self._channel.stream_stream(_SERVICE + name)
                for answer in stream(iter(made), timeout=PATIENCE):
                    self._answered(answer, made)
            else:
                call: Any = self._channel.unary_unary(_SERVICE + name)
                call(made[0], timeout=PATIENCE)
                self._tally.answers["gRPC OK"] += 1
        except grpc.RpcError as error:
            self._refused(error, made)

    def garbage(self, mutator: Mutator) -> None:
        """Bytes that are no HTTP/2, or a beginning of it; then the end."""
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        data = mutator.choice(preface, b"GET / HTTP/1.1\r\n\r\n", b"") + mutator.random.randbytes(
            60
        )
        data = mutator.data(data)
        self.given = data
        self._tally.sent["gRPC bytes"] += 1
        connection = Socket(self._address)
        connection.send(data)
        connection.end()
        while connection.more():
            pass
        connection.close()

    def _answered(self, answer: bytes, made: list[bytes]) -> None:
        told = pb.ModelStreamInferResponse.FromString(answer)
        if not told.error_message:
            self._tally.answers["gRPC OK"] += 1
            return
        code = told.infer_response.parameters["code"].string_param
        check_error(code, told.error_message, _known(made))
        self._tally.answers[f"gRPC {code}"] += 1

    def _refused(self, error: grpc.RpcError, made: list[bytes]) -> None:
        assert isinstance(error, grpc.Call)
        status, detail = error.code().name, error.details() or ""
        code = dict(error.trailing_metadata() or ()).get(CODE_KEY)
        self._tally.answers[f"gRPC {code or status}"] += 1
        if code is None:
            hold(status in _GRPC_OWN, f"gRPC's {status}: {detail[:200]}")
            return
        if code not in STATUS or STATUS[str(code)].name != status:
            raise Finding(f"gRPC's {status} with {code!r}")
        hold(status in _OUR_OWN, f"gRPC's {status}: {detail[:200]}")
        check_error(code, detail, _known(made))


def _known(made: list[bytes]) -> str:
    return b" ".join(made)[:200_000].decode("latin-1")
