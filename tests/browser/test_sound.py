"""Sound through an AudioWorklet: every sample comes, once and in order."""

from __future__ import annotations

import numpy as np

from tests.browser.conftest import OpenPage

RATE = 16_000
LISTEN = """async ([rate, samples]) => {
  const { listen } = await import("/web/client/sources/microphone.js");
  const context = new OfflineAudioContext(1, samples.length, rate);
  const source = context.createBufferSource();
  source.buffer = context.createBuffer(1, samples.length, rate);
  source.buffer.copyToChannel(Float32Array.from(samples), 0);
  const heard = [];
  const all = new Promise((resolve) =>
    listen(source, (piece) => {
      heard.push(...piece);
      if (heard.length >= samples.length) resolve(heard);
    }).then(() => {
      source.start();
      context.startRendering();
    }),
  );
  return all;
}"""


def test_the_worklet_gives_every_sample(har_url: str, open_page: OpenPage) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, RATE).astype(np.float32)
    heard = open_page(har_url).evaluate(LISTEN, [RATE, samples.tolist()])
    np.testing.assert_array_equal(np.array(heard[:RATE], np.float32), samples)
