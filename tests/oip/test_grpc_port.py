"""The gRPC port: its limits, its certificate, and what is there without it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
import trustme
from tritonclient.utils import InferenceServerException

from tests import live
from tests.oip.chunks import TOTALS, WINDOW
from tests.oip.grpc_client import HEADERS, Conversation, infer
from tests.server.test_access import KEYS
from tests.server.test_waiting_bytes import LIMIT, half_a_body


def test_too_large_a_message_is_refused(toy_models: Path) -> None:
    with live.process(models=toy_models, model="toy", grpc_port=0, max_message=1000) as process:
        client = triton.InferenceServerClient(process.grpc)
        with pytest.raises(InferenceServerException) as raised:
            infer(client, np.zeros((1, 200, 2)))
        assert raised.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
        client.close()


def test_a_request_without_room_is_unavailable(toy_models: Path) -> None:
    limits = {"max_waiting_bytes": LIMIT, "max_body": LIMIT, "max_message": LIMIT}
    with (
        live.process(models=toy_models, model="toy", grpc_port=0, **limits) as process,
        httpx.Client(base_url=process.url) as http,
    ):
        client = triton.InferenceServerClient(process.grpc)
        large = np.zeros((1, 30_000, 2))
        with half_a_body(http):
            with pytest.raises(InferenceServerException, match="wait") as raised:
                infer(client, large)
            assert raised.value.status() == "StatusCode.UNAVAILABLE"
            np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
        assert infer(client, large).shape[:2] == (1, 30_000)
        client.close()


def test_a_taken_port_refuses_to_start(toy_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"models": toy_models, "model": "toy", "port": 0, "grpc_port": port}
        done = subprocess.run(
            [sys.executable, "-m", "service"],
            env=live.environment(**settings),
            cwd=live.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert f"LARNN_GRPC_PORT: 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_port_nothing_of_grpc_is_imported() -> None:
    program = (
        "import sys; from larnn_service.app import create_app; "
        "from larnn_service.settings import Settings; "
        "create_app(Settings()); "
        "print({'grpc', 'google.protobuf', 'tritonclient'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=live.ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


def test_grpc_takes_the_services_certificate(toy_models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(root)
    settings = {"models": toy_models, "model": "toy", "tls_cert": certificate, "tls_key": key}
    with live.process(grpc_port=0, **settings) as process:
        address = process.grpc.replace("127.0.0.1", "localhost")
        client = triton.InferenceServerClient(address, ssl=True, root_certificates=str(root))
        np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
        client.close()
        with grpc.insecure_channel(process.grpc) as channel, pytest.raises(grpc.FutureTimeoutError):
            grpc.channel_ready_future(channel).result(timeout=1)


def test_a_key_has_one_limit_for_both_wires(toy_models: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "api_keys": KEYS, "max_at_work_per_key": 1}
    with live.process(grpc_port=0, **settings) as process:
        client = triton.InferenceServerClient(process.grpc)
        conversation = Conversation(client)
        conversation.send([WINDOW])
        np.testing.assert_array_equal(conversation.logits(), [TOTALS])
        answer = httpx.get(f"{process.url}/v2", headers=HEADERS, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "full")
        second = triton.InferenceServerClient(process.grpc)
        with pytest.raises(InferenceServerException, match="its limit") as raised:
            infer(second, [WINDOW])
        assert raised.value.status() == "StatusCode.UNAVAILABLE"
        client.stop_stream()
        client.close()
        second.close()
