// What a microphone hears on its way to a stream: drawn, and sent ten times a second.

import { Microphone } from "@larnn/client/microphone";

const RATES = [8_000, 96_000]; // samples a second that every browser resamples to
const MESSAGES = 10; // a second: as many answers
const POINTS = 5; // of the chart, each the lowest and the highest sample, for a message
const INT16 = 2 ** 15;

/** Whether the model's steps are frames of a signal that a microphone can give. */
export function takesSound({ input: { frame } }) {
  const rate = frame?.sample_rate_hz;
  return rate >= RATES[0] && rate <= RATES[1];
}

/** This machine's microphone, of which nobody knows what it hears. */
export class Sound extends Microphone {
  activities = [];

  constructor({ input: { frame } }) {
    super(frame.sample_rate_hz);
  }

  /** Why there is nothing to hear here, or null. */
  static missing() {
    if (!window.isSecureContext) return "Browsers give a microphone to https pages only.";
    return navigator.mediaDevices ? null : "This browser has no microphone.";
  }

  activity() {
    return null;
  }
}

export class SoundSignal {
  #stream;
  #chart;
  #hertz;
  #scale;
  #samples = 0;
  #waiting = [];
  /** Steps a second. */ rate;

  /** `charts` has that of the sound. */
  constructor({ input: { frame } }, stream, { sound }) {
    this.#stream = stream;
    this.#chart = sound;
    this.#hertz = frame.sample_rate_hz;
    this.#scale = INT16 * (frame.int16_scale ?? 1 / INT16); // of full scale, which is 1 in browsers
    this.rate = this.#hertz / frame.samples;
  }

  /** How much was taken. */
  get seconds() {
    return this.#samples / this.#hertz;
  }

  /** Takes the next samples; whether something was sent. Throws as `Stream.feed` does. */
  take(samples) {
    this.#waiting.push(...samples);
    return this.#waiting.length >= this.#hertz / MESSAGES && this.finish();
  }

  /** Sends what waits; whether there was something. */
  finish() {
    if (!this.#waiting.length) return false;
    const block = Float32Array.from(this.#waiting, (sample) => this.#scale * sample);
    this.#waiting = [];
    this.#draw(block);
    this.#stream.feed(block);
    return true;
  }

  #draw(block) {
    const before = this.#samples;
    for (let point = 1; point <= POINTS; point += 1) {
      const [from, to] = [point - 1, point].map((part) => Math.round((part * block.length) / POINTS));
      const part = block.subarray(from, to);
      this.#samples = before + to;
      if (part.length) this.#chart.push(this.seconds, [Math.min(...part), Math.max(...part)]);
    }
  }
}
