"""What any gRPC client expects of a server: health, reflection, pings, a new certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests import live
from tests.oip.chunks import TOTALS, WINDOW
from tests.oip.grpc_client import infer
from tests.server.test_behind_proxies import issue

PROTOCOL = "inference.GRPCInferenceService"
SERVING = health_pb2.HealthCheckResponse.SERVING


def test_health_is_asked_without_a_key(grpc_process: live.Process) -> None:
    with grpc.insecure_channel(grpc_process.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", PROTOCOL):
            asked = health_pb2.HealthCheckRequest(service=service)
            assert health.Check(asked, timeout=60).status == SERVING
            watching = health.Watch(asked, timeout=60)
            assert next(watching).status == SERVING
            watching.cancel()
        other = health_pb2.HealthCheckRequest(service="other")
        with pytest.raises(grpc.RpcError) as raised:
            health.Check(other, timeout=60)
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        watching = health.Watch(other, timeout=60)
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watching.cancel()


def test_who_watches_is_told_of_the_end(toy_models: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "grpc_port": 0, "drain_delay": 600}
    with live.process(**settings) as process, grpc.insecure_channel(process.grpc) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watching).status == SERVING
        process.popen.terminate()
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert process.stop() == 0


def test_services_describe_themselves(grpc_process: live.Process) -> None:
    with grpc.insecure_channel(grpc_process.grpc) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        listing = reflection_pb2.ServerReflectionRequest(list_services="")
        symbol = reflection_pb2.ServerReflectionRequest(file_containing_symbol=PROTOCOL)
        listed, described = stub.ServerReflectionInfo(iter([listing, symbol]), timeout=60)
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {PROTOCOL, "grpc.health.v1.Health"}
    assert described.file_descriptor_response.file_descriptor_proto


def test_a_client_may_ping_without_a_call_and_often(grpc_process: live.Process) -> None:
    options = [
        ("grpc.keepalive_time_ms", 10),
        ("grpc.keepalive_timeout_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with grpc.insecure_channel(grpc_process.grpc, options=options) as channel:
        states: list[grpc.ChannelConnectivity] = []
        grpc.channel_ready_future(channel).result(timeout=60)
        channel.subscribe(states.append)
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for _ in range(50):
            assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=60).live
        assert set(states) <= {grpc.ChannelConnectivity.READY}


def test_a_new_certificate_is_taken_from_the_files(toy_models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(root)
    issue(authority, tmp_path)
    pair = {"tls_cert": tmp_path / "chain.pem", "tls_key": tmp_path / "key.pem"}
    with live.process(models=toy_models, model="toy", grpc_port=0, **pair) as process:
        host, _, port = process.grpc.rpartition(":")
        shown = [ssl.get_server_certificate((host, int(port)))]
        for damage in (False, True):
            if damage:
                pair["tls_key"].write_text("-")
            else:
                issue(authority, tmp_path)
            client = triton.InferenceServerClient(
                process.grpc, ssl=True, root_certificates=str(root)
            )
            np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
            client.close()
            shown.append(ssl.get_server_certificate((host, int(port))))
        process.popen.terminate()
        assert process.popen.stderr is not None
        log = process.popen.stderr.read()
        told = [line for line in log.splitlines() if "gRPC's certificate" in line]
        assert ["files now" in line for line in told] == [True, False], "once, not for each client"
    assert shown[0] != shown[1] == shown[2]
