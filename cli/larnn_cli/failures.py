"""What went wrong, in one line and an exit code. 2 is also what bad options end with."""

from __future__ import annotations

import sys

REFUSED, BAD_INPUT, UNREACHABLE = 1, 2, 3
EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 bad options or input, 3 no service, 130 ^C."
)
COMMAND_LINE = "pip install . ./client in the project's folder"
SERVICE = "it comes with larnn[serve], see docs/packages.md"
IMPORTING = "it comes with larnn[import], see docs/packages.md"
TRAINING = "it comes with larnn[train], see docs/packages.md; or use make train"
SOURCES = {
    **dict.fromkeys(("httpx", "larnn_client", "pydantic", "rich", "typer"), COMMAND_LINE),
    **dict.fromkeys(("fastapi", "onnxruntime", "pydantic_settings", "uvicorn"), SERVICE),
    **dict.fromkeys(("google", "onnx", "tritonclient"), IMPORTING),
    **dict.fromkeys(("matplotlib", "safetensors", "torch"), TRAINING),
    "aiokafka": "it comes with larnn[kafka], see docs/bridge.md",
    **dict.fromkeys(("paho", "prometheus_client"), "it comes with larnn[mqtt], see docs/bridge.md"),
    **dict.fromkeys(("fsspec", "pyarrow"), "it comes with larnn[score], see docs/score.md"),
    "polars": "pip install polars",
    "benchmarks": "run it in the project's folder: python -m cli bench",
}


KINDS = (
    ("larnn_client", "Unreachable", UNREACHABLE, "; start one with larnn serve, or add --local"),
    ("larnn_client", "TooLarge", BAD_INPUT, "; cut it with --window, or a stream's with --chunk"),
    ("larnn_client", "BadInput", BAD_INPUT, ""),
    ("larnn_client", "LarnnError", REFUSED, ""),
    ("larnn_export.data", "DataError", BAD_INPUT, ""),
    ("larnn_export.importing.problems", "ImportFailed", BAD_INPUT, ""),
    ("larnn_export.placing", "PublishError", REFUSED, ""),
    ("larnn_cli.bridge.mqtt_session", "SessionError", REFUSED, ""),
    ("aiokafka.errors", "KafkaConnectionError", UNREACHABLE, ": the broker does not answer"),
    ("aiokafka.errors", "KafkaError", REFUSED, ""),
    ("sqlite3", "Error", REFUSED, ": the journal"),
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
