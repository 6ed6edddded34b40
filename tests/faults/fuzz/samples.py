"""Valid inputs for the toy, to be changed: files and tensors with their lengths and headers."""

from __future__ import annotations

import json
import struct
from typing import Any

from tests.faults.fuzz.mutate import Mutator

STEPS = [[1, 2], [0.5, -4e-3], [1e3, 0]]
CHUNK = {"offset": 0, "steps": STEPS, "acked": 0, "logits": True, "emit": "every"}
CLASSIFY = {"sequences": [STEPS, STEPS[:1]], "model": "toy", "version": 1, "logits": True}
X = {"name": "x", "datatype": "FP32", "shape": [1, 3, 2], "data": [1, 2, 3, 4, 5, 6]}
LENGTHS = {"name": "lengths", "datatype": "INT64", "shape": [1], "data": [2]}
PART = {"sequence_id": 7, "sequence_start": True, "sequence_end": True, "offset": 0}
INFER: dict[str, Any] = {
    "id": "mine",
    "inputs": [X, LENGTHS],
    "outputs": [{"name": "logits", "parameters": {"binary_data": False}}],
    "parameters": PART,
}
CONTEXT = {"gain": 0.5, "shift": [1, -2.5], "upside_down": True}
_DESCRIPTIONS = ("'<f4'", "'>f4'", "'<f8'", "'|O'", "'<i8'", "[('a', '<f4')]", "None", "'<f4")
_SHAPES = (
    *("(1, 3, 2)", "(True, 3, 2)", "(-1, 3, 2)", "(1, 3)", "(1, 3, 2, 1)", "()", "6", "(0, 3, 2)"),
    *(
        "(1, 0, 2)",
        "(2147483648, 3, 2)",
        "(1e3, 3, 2)",
        "(1, 3, 18446744073709551616)",
        "(1, (3,), 2)",
    ),
    *("(" * 300 + ")" * 300, "(1, 3, " + "9" * 5000 + ")", "(1,3,2)+x", "__import__('os')"),
)


def infer(mutator: Mutator) -> dict[str, Any]:
    """A request for an inference: whole sequences, or a part of one."""
    body = dict(INFER)
    if mutator.chance(0.5):
        body["parameters"] = {}
    if mutator.chance(0.3):
        body["inputs"] = [X]
    return body


def binary_infer(mutator: Mutator) -> tuple[bytes, str]:
    """The body, changed or not, and the size of its JSON as the header tells it."""
    body = infer(mutator)
    data = struct.pack("<6f", *range(6)) + struct.pack("<q", 3)
    sizes = (24, 8)
    body["inputs"] = [
        {**{key: value for key, value in tensor.items() if key != "data"}}
        | {"parameters": {"binary_data_size": size}}
        for tensor, size in zip(body["inputs"], sizes, strict=False)
    ]
    head = mutator.json(body)
    size = str(len(head))
    if mutator.chance(0.2):
        size = str(mutator.choice(mutator.number(), mutator.text(), len(head) - 1, len(head) + 33))
        size = "".join(c for c in size if " " < c < "\x7f")[:1000]
    data = data[: sum(sizes[: len(body["inputs"])])]
    return head + (mutator.data(data) if mutator.chance(0.3) else data), size


def npy(mutator: Mutator, axes: int = 2) -> bytes:
    """A file of numpy's, of sequences or with one axis of a chunk; a field of its header changed or
    its bytes."""
    fields = ["'<f4'", "False", "(1, 3, 2)" if axes == 2 else "(3, 2)"]
    if mutator.chance(0.6):
        place = mutator.random.randrange(3)
        options = (_DESCRIPTIONS, ("True", "None", "1", "[]"), _SHAPES)[place]
        fields[place] = mutator.choice(*options)
    named = zip(("descr", "fortran_order", "shape"), fields, strict=True)
    head = "{" + "".join(f"'{name}': {text}, " for name, text in named) + "}"
    head = head.ljust(117) + "\n"
    size = len(head) if mutator.chance(0.8) else int(abs(mutator.number())) % 2**16
    version = mutator.choice(
        b"\x01\x00", b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"
    )
    form = "<I" if version == b"\x02\x00" else "<H"
    whole = b"\x93NUMPY" + version + struct.pack(form, size % 2**16) + head.encode()
    whole += struct.pack("<6f", *range(6))
    return mutator.data(whole) if mutator.chance(0.3) else whole


def state(mutator: Mutator) -> bytes:
    """A stream's state as safetensors, its header, the header's length or the bytes changed."""
    header: dict[str, Any] = {
        "__metadata__": {"model": "toy", "version": "1", "position": "3"},
        "total": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "seen": {"dtype": "I64", "shape": [1], "data_offsets": [8, 16]},
        "logits": {"dtype": "F32", "shape": [1, 1, 3], "data_offsets": [16, 28]},
    }
    if mutator.chance(0.2):
        header["total"]["dtype"] = mutator.choice("F64", "BOOL", "BF16", "U8", "F8_E4M3", "I32", "")
    data = struct.pack("<2fq3f", 1, 2, 3, 1, 2, 3)
    told = mutator.json(header) if mutator.chance(0.7) else json.dumps(header).encode()
    size = len(told) if mutator.chance(0.9) else int(abs(mutator.number())) % 2**64
    whole = struct.pack("<Q", size) + told + data
    return mutator.data(whole) if mutator.chance(0.2) else whole
