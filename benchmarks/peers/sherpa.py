"""sherpa-onnx's voice activity detector, in a loop: its servers recognise speech, no more.

Each stream has a detector, and each detector a session, as sherpa-onnx's own programs have it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.peers.base import ROOT, SERVING, Peer


class Sherpa(Peer):
    name = "sherpa"
    requirements = ("sherpa-onnx==2.0.1", "numpy==2.4.6")

    def per_cpu_second(self, peers: Path, file: Path, streams: int, seconds: float) -> float:
        """Frames of Silero's `file` in a second of CPU time."""
        command = [str(self.python(peers)), "-m", "benchmarks.peers.sherpa"]
        arguments = [str(file.absolute()), str(streams), str(seconds)]
        done = subprocess.run(
            [*command, *arguments],
            env=os.environ | {"BENCHMARK_PEER": self.name},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return float(done.stdout)


if SERVING == "sherpa":
    import sys
    import time

    import numpy as np
    import sherpa_onnx

    FRAME, RATE = 512, 16_000

    def detector(file: str) -> sherpa_onnx.VoiceActivityDetector:
        silero = sherpa_onnx.SileroVadModelConfig(model=file, window_size=FRAME)
        config = sherpa_onnx.VadModelConfig(silero_vad=silero, sample_rate=RATE, num_threads=1)
        return sherpa_onnx.VoiceActivityDetector(config, buffer_size_in_seconds=30)

    def main(file: str, streams: int, seconds: float) -> None:
        detectors = [detector(file) for _ in range(streams)]
        frame = np.random.default_rng(0).normal(0, 0.1, FRAME).astype(np.float32)

        def run() -> None:
            for each in detectors:
                each.accept_waveform(frame)
                while not each.empty():
                    each.pop()

        run()
        began, frames, until = time.process_time(), 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            run()
            frames += streams
        print(frames / (time.process_time() - began))

    if __name__ == "__main__":
        main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
