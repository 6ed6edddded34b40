"""A phone's filters as a graph: networks/phone_filters.py, one Scan for each sensor."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from larnn_export.families.builder import Pen
from larnn_export.networks.phone_filters import AXES, SENSORS, PhoneFilters

END = 2**31


def write_filters(
    pen: Pen, filters: PhoneFilters, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, 6] → [batch, steps, 9] and the next state by name."""
    medians = _median_of_three(pen, pen.write("Concat", state["recent"], x, axis=1))
    samples = pen.write("Cast", pen.time_major(medians), to=TensorProto.DOUBLE)
    after = {"recent": pen.window_at_length(state["recent"], x, lengths, 2)}
    outputs = {}
    for index, sensor in enumerate(SENSORS):
        of_sensor = pen.write("Slice", samples, [index * AXES], [(index + 1) * AXES], [2])
        name = f"filters_{sensor}"
        outputs[sensor], after[name] = _write_sensor(
            pen, filters.get_buffer(sensor).numpy(), of_sensor, state[name], lengths, sensor
        )
    (total_acc, body_acc), (_, body_gyro) = (
        pen.write_many("Split", 2, outputs[sensor], axis=3, num_outputs=2) for sensor in SENSORS
    )
    channels = pen.write("Concat", body_acc, body_gyro, total_acc, axis=2)
    single = pen.write("Cast", pen.write("Squeeze", channels, [3]), to=TensorProto.FLOAT)
    return pen.time_major(single), after


def _median_of_three(pen: Pen, history: str) -> str:
    """[batch, steps, n] of [batch, steps + 2, n]."""
    a, b, c = (pen.write("Slice", history, [i], [i - 2 or END], [1]) for i in range(3))
    larger = pen.write("Min", pen.write("Max", a, b), c)
    return pen.write("Max", pen.write("Min", a, b), larger)


def _write_sensor(
    pen: Pen, matrix: np.ndarray, samples: str, state: str, lengths: str, sensor: str
) -> tuple[str, str]:
    """Samples [steps, batch, axes] → outputs [steps, batch, axes, 2], and the next state."""
    states = len(matrix) - 1
    body = Pen(pen, prefix=f"{sensor}_step_")
    both = body.write("Concat", "s", body.write("Unsqueeze", "sample", [2]), axis=2)
    moved = body.write("MatMul", both, pen.constant(matrix, np.float64))
    after, output = body.write_many("Split", 2, moved, [states, 2], axis=2)
    outputs, history = pen.scan(
        body,
        f"{sensor}_step",
        carried=[(state, "s", after)],
        scanned=[(samples, "sample")],
        collected=[output, after],
        dtype="float64",
    )
    by_batch = pen.write("Transpose", history, perm=[1, 0, 2, 3])
    return outputs, pen.at_length(state, by_batch, lengths)
