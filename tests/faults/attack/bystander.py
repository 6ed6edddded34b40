"""A client that does nothing wrong, as a process of its own.

It asks for a classification, for a stream's chunk and for health in turn, checks each answer, and
writes how long they took as JSON when its input ends.
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
"""Seconds between two rounds of questions."""


def main(url: str) -> None:
    """Ask until the standard input ends."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    requests: list[float] = []
    chunks: list[float] = []
    health: list[float] = []
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
            start = time.perf_counter()
            assert client.get("/healthz").is_success
            health.append(time.perf_counter() - start)
    print(json.dumps({"requests": of(requests), "chunks": of(chunks), "health": of(health)}))


def of(seconds: list[float]) -> dict[str, float]:
    """How many there were, their p50 and p99 and the longest, in milliseconds."""
    ms = 1e3 * np.array(seconds)
    p50, p99, longest = np.percentile(ms, (50, 99, 100)).tolist()
    return {"count": len(ms), "p50": p50, "p99": p99, "longest": longest}


if __name__ == "__main__":
    main(sys.argv[1])
