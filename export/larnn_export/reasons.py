"""What the errors of torch, onnx, onnxruntime and pydantic say, in a line each."""

from __future__ import annotations

import re

from pydantic import ValidationError

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


def field_errors(error: ValueError) -> str:
    """Of pydantic's error each field with what is wrong in it; of another one its text."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = []
    for each in error.errors(include_url=False):
        field = ".".join(map(str, each["loc"]))
        text = each["msg"].removeprefix("Value error, ")
        found.append(f"{field}: {text}" if field else text)
    return "; ".join(found)
