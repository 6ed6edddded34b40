"""`python -m service` as a process: what it imports, how it starts, refuses and drains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
from websockets.sync.client import connect

from tests import live
from tests.server.test_stream import Talk


def test_sigterm_answers_what_runs_closes_streams_with_1012_and_exits_0(toy_models: Path) -> None:
    with live.process(models=toy_models, model="toy") as service:
        assert httpx.get(f"{service.url}/readyz", timeout=120).status_code == 200
        with connect(live.websocket_url(service.url)) as socket:
            talk = Talk(socket)
            talk.hear()
            for offset in range(0, 10_240, 1024):
                chunk = {"type": "chunk", "offset": offset, "steps": [[1, 0]] * 1024}
                socket.send(json.dumps(chunk))
            answered = [talk.hear()]
            service.popen.terminate()
            while (message := talk.hear())["type"] == "prediction":
                answered.append(message)
            positions = [answer["position"] for answer in answered]
            assert positions == list(range(1024, 1024 * len(positions) + 1, 1024))
            assert message["code"] == "draining"
            assert talk.close_code() == 1012
        assert service.popen.wait(120) == 0


def test_the_service_never_imports_torch_onnx_or_export(toy_models: Path) -> None:
    """Asked of a process that has served: a lazy import would show."""
    program = """
import sys
from tests import live
import httpx
with live.running(model="toy") as url:
    assert httpx.post(url + "/classify", json={"sequences": [[[1, 2]]]}, timeout=120).is_success
print(sorted({"torch", "onnx", "export"} & {name.split(".")[0] for name in sys.modules}))
"""
    environment = os.environ | live.environment(models=toy_models)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=live.ROOT, env=environment, capture_output=True
    )
    assert done.stdout.decode().strip() == "[]", done.stderr.decode()


def test_the_runtime_keeps_no_telemetry(tmp_path: Path) -> None:
    program = (
        "import larnn_service.backend.onnx_backend as used; print(used.onnxruntime.__version__)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", program], cwd=live.ROOT, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_one_line_and_exit_status_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "--models", str(tmp_path / "none")],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the service does not start: LARNN_MODELS=")
    assert "Traceback" not in done.stderr
