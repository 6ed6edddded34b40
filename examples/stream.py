"""Stream a recording, as a phone would send it, and print what the model makes of it.

    python examples/stream.py [--url ws://localhost:8000/stream]

Needs the packages numpy and websockets.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from websockets.sync.client import connect

CHUNK = 10

parser = argparse.ArgumentParser()
parser.add_argument("--url", default="ws://localhost:8000/stream")
url = parser.parse_args().url

with np.load(Path(__file__).with_name("recording.npz")) as recording:
    steps, truth = recording["signals"], recording["label"]
print(f"{len(steps)} steps of {truth}")

with connect(url) as stream:
    opened = json.loads(stream.recv())
    print(f"stream {opened['stream']} on {opened['model']}/{opened['version']}")
    shown = ""
    for offset in range(0, len(steps), CHUNK):
        chunk = steps[offset : offset + CHUNK].tolist()
        stream.send(json.dumps({"type": "chunk", "offset": offset, "steps": chunk}))
        answer = json.loads(stream.recv())
        if answer["type"] == "error":
            raise SystemExit(answer["detail"])
        probability = max(answer["probabilities"].values())
        line = f"{answer['label']} {probability:.0%}"
        if line != shown:
            print(f"position {answer['position']}: {line}")
            shown = line
    stream.send(json.dumps({"type": "end"}))
    print(f"ended at position {json.loads(stream.recv())['position']}")
