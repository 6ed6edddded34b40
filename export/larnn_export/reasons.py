"""What the errors of torch, onnx and onnxruntime say, in a line."""

from __future__ import annotations

import re

LONGEST = 300
"""Characters."""


def reason(error: BaseException) -> str:
    """The first line of what stands at the root of it, without colours and codes."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = re.sub(r"\x1b\[\d*m", "", str(error)).strip()
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text.split("\n", 1)[0])
    line = line.rpartition("Status Message: ")[2]  # one for each loop that the operator is in
    return line[:LONGEST].rstrip(" .:") or type(error).__name__
