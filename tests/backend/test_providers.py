"""The choice of execution provider."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from larnn_service.backend.model_repository import load_model
from larnn_service.backend.providers import CPU, CUDA, candidates
from larnn_service.errors import StartupError
from tests import toy

HAS_CUDA = CUDA in onnxruntime.get_available_providers()


def test_what_is_tried() -> None:
    assert candidates("cpu", [CUDA, CPU]) == [CPU]
    assert candidates("auto", [CPU]) == [CPU]
    assert candidates("auto", [CUDA, CPU]) == [CUDA, CPU]
    assert candidates("cuda", [CUDA, CPU]) == [CUDA]


def test_cuda_asked_for_and_not_installed_names_the_package() -> None:
    with pytest.raises(StartupError, match="onnxruntime-gpu"):
        candidates("cuda", [CPU])


@pytest.mark.skipif(HAS_CUDA, reason="this machine has CUDA")
def test_a_service_asked_for_cuda_refuses_to_start_without(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="LARNN_PROVIDER=cuda"):
        load_model(toy.publish(tmp_path), "cuda")


def test_a_cuda_provider_that_does_not_come_up_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime-gpu without a driver lists CUDA, then runs on the CPU without a word."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    if HAS_CUDA:
        pytest.skip("this machine has CUDA")
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(StartupError, match="NVIDIA driver"),
    ):
        load_model(toy.publish(tmp_path), "cuda")
