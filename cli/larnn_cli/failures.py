"""What went wrong, in one line and an exit code. 2 is also what bad options end with."""

from __future__ import annotations

import sys

REFUSED, BAD_INPUT, UNREACHABLE = 1, 2, 3
EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 bad options or input, 3 no service, 130 ^C."
)
COMMAND_LINE = "pip install '.[cpu,cli]' ./client"
TRAINING = "pip install --group export, or use make train"
SOURCES = {
    **dict.fromkeys(("larnn_client", "polars", "rich", "typer"), COMMAND_LINE),
    **dict.fromkeys(("httpx", "websockets", "onnxruntime"), COMMAND_LINE),
    **dict.fromkeys(("torch", "onnx", "matplotlib"), TRAINING),
    "benchmarks": "run it in the project's folder: python -m cli bench",
}


KINDS = (
    ("larnn_client", "Unreachable", UNREACHABLE, "; start one with larnn serve, or add --local"),
    ("larnn_client", "TooLarge", BAD_INPUT, "; cut it with --window, or a stream's with --chunk"),
    ("larnn_client", "BadInput", BAD_INPUT, ""),
    ("larnn_client", "LarnnError", REFUSED, ""),
    ("larnn_export.data", "DataError", BAD_INPUT, ""),
    ("larnn_service.errors", "StartupError", REFUSED, ""),
    ("builtins", "OSError", BAD_INPUT, ""),
)
"""Module and name of an error, exit code, what to do. Where it was raised, it is imported."""


def tell(error: Exception) -> int:
    """Print the error and give its exit code; one that is not expected is raised again."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in SOURCES:
            return _say(f"this command needs {package}: {SOURCES[package]}", REFUSED)
        raise error
    for module, name, code, hint in KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return _say(f"{error}{hint}", code)
    raise error


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"larnn: {text}\n")
    return code
