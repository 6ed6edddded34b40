"""Sound through an AudioWorklet: every sample comes, once and in order, until it is stopped."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.conftest import ICON, OpenPage

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

WATCHED = """async (job) => {
  const { Microphone } = await import("/web/client/sources/microphone.js");
  const tracks = [];
  const contexts = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const media = await ask(wish);
    tracks.push(...media.getTracks());
    return media;
  };
  window.AudioContext = class extends AudioContext {
    constructor(options) {
      super(options);
      contexts.push(this);
    }
  };
  const told = await new Function("Microphone", `return (${job})(Microphone)`)(Microphone);
  return [told, tracks.map((one) => one.readyState), contexts.map((one) => one.state)];
}"""
"""What a job with a microphone gives, and how all that was opened stands after it."""
HEARS_AND_STOPS = """async (Microphone) => {
  const microphone = new Microphone(16000);
  let heard = 0;
  await new Promise((resolve) => microphone.start(({ length }) => {
    heard += length;
    if (heard > 1600) resolve();
  }));
  await microphone.stop();
  const before = heard;
  await new Promise((resolve) => setTimeout(resolve, 50));
  return heard === before ? "stopped" : "goes on";
}"""
STOPS_AT_ONCE = """async (Microphone) => {
  const microphone = new Microphone(16000);
  const beginning = microphone.start(() => {});
  await microphone.stop();
  await beginning;
  return "stopped";
}"""
STARTS_AGAIN = """async (Microphone) => {
  const microphone = new Microphone(16000);
  const [first, second] = [[], []];
  const beginning = microphone.start((piece) => first.push(piece));
  if (STOPPED) await microphone.stop();
  await new Promise((resolve) => microphone.start((piece) => {
    second.push(piece);
    resolve();
  }));
  await beginning;
  await microphone.stop();
  return first.length;
}"""
"""The first start is not over when the second one begins: it takes nothing."""
IS_REFUSED = """(Microphone) =>
  new Microphone(1).start(() => {}).then(() => "begun", ({ name }) => name)"""


@pytest.mark.parametrize(
    ("job", "told", "tracks", "contexts"),
    [
        (HEARS_AND_STOPS, "stopped", 1, 1),
        (STOPS_AT_ONCE, "stopped", 1, 0),
        (STARTS_AGAIN.replace("STOPPED", "true"), 0, 2, 1),
        (STARTS_AGAIN.replace("STOPPED", "false"), 0, 2, 1),
        (IS_REFUSED, "NotSupportedError", 1, 0),
    ],
    ids=["heard", "at once", "again", "twice", "refused"],
)
def test_a_microphone_leaves_nothing_open(
    har_url: str, open_page: OpenPage, job: str, told: str | int, tracks: int, contexts: int
) -> None:
    page = open_page(f"{har_url}/healthz", expected=ICON)  # no policy against `new Function`
    assert page.evaluate(WATCHED, job) == [told, ["ended"] * tracks, ["closed"] * contexts]


def test_the_worklet_gives_every_sample(har_url: str, open_page: OpenPage) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, RATE).astype(np.float32)
    heard = open_page(har_url).evaluate(LISTEN, [RATE, samples.tolist()])
    np.testing.assert_array_equal(np.array(heard[:RATE], np.float32), samples)
