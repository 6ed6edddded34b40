"""The choice of execution provider: what was asked for, or a refusal. Never a silent fall back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from larnn_service.errors import StartupError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


def candidates(requested: Literal["auto", "cpu", "cuda"], available: Collection[str]) -> list[str]:
    """The providers to try, best first, out of those that the installed onnxruntime has.

    Raises StartupError where the one asked for is not among them.
    """
    if requested == "cpu":
        return [CPU]
    if CUDA in available:
        return [CUDA] if requested == "cuda" else [CUDA, CPU]
    if requested == "cuda":
        raise StartupError(
            "LARNN_PROVIDER=cuda, but the installed onnxruntime has no CUDA provider: "
            "replace the package onnxruntime "
            "(pip uninstall onnxruntime, pip install 'onnxruntime-gpu[cuda,cudnn]')"
        )
    return [CPU]


def missing_cuda() -> StartupError:
    """The refusal where the CUDA provider is installed and does not come up."""
    return StartupError(
        "LARNN_PROVIDER=cuda, but the CUDA provider did not start: it needs an NVIDIA driver "
        "(does nvidia-smi list a device?) and the CUDA 13 and cuDNN 9 libraries "
        "(pip install 'onnxruntime-gpu[cuda,cudnn]' brings them); LARNN_PROVIDER=cpu runs without"
    )
