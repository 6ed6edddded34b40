"""A client that does nothing wrong, as a process of its own.

It asks for a classification and for a stream's chunk in turn, checks each answer, and writes how
long they took as JSON when its input ends.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import httpx
import numpy as np
from websockets.sync.client import connect

PAUSE = 0.02
"""Seconds between two questions."""


def main(url: str) -> None:
    """Ask until the standard input ends."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    requests: list[float] = []
    chunks: list[float] = []
    total = 0
    with (
        httpx.Client(base_url=url, timeout=60) as client,
        connect(url.replace("http", "ws", 1) + "/stream", open_timeout=60) as stream,
    ):
        stream.recv(60)
        print("ready", flush=True)
        while not over.wait(PAUSE):
            start = time.perf_counter()
            answer = client.post("/classify", json={"sequences": [[[1, 2]]], "logits": True})
            requests.append(time.perf_counter() - start)
            assert answer.json()["predictions"][0]["logits"] == [1, 2, 1], answer.text
            start = time.perf_counter()
            chunk = {"type": "chunk", "offset": total, "steps": [[1, 0]], "logits": True}
            stream.send(json.dumps(chunk))
            told = json.loads(stream.recv(60))
            chunks.append(time.perf_counter() - start)
            total += 1
            assert (told["position"], told["logits"][0]) == (total, total), told
    print(json.dumps({"requests": of(requests), "chunks": of(chunks)}))


def of(seconds: list[float]) -> dict[str, float]:
    """How many there were, their p99 and the longest, in milliseconds."""
    ms = 1e3 * np.array(seconds)
    return {"count": len(ms), "p99": float(np.percentile(ms, 99)), "longest": float(ms.max())}


if __name__ == "__main__":
    main(sys.argv[1])
