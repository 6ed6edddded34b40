"""What the errors of torch, onnx and onnxruntime say, in a line."""

from __future__ import annotations

import re

LONGEST = 300
"""Characters."""
_BEFORE = ("Status Message: ", "Error Code: 1 - ")
"""What stands before the reason itself, once for each loop that an operator is in."""


def reason(error: BaseException) -> str:
    """The first line of what stands at the root of it, without colours, codes and stacks."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = re.sub(r"\x1b\[\d*m", "", str(error)).strip()
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    for mark in _BEFORE:
        text = text.rpartition(mark)[2]
    line = text.strip().split("\n", 1)[0]
    return line[:LONGEST].rstrip(" .:") or type(error).__name__
