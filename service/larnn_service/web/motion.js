// A phone's readings on their way to a stream: prepared, drawn, and sent five steps at a time.

import { CHANNELS, Preparation, RATE } from "./signal.js";

const CHUNK = 5; // steps: ten answers a second

/** Whether this page can make the model's steps of a phone's readings. */
export function takesMotion({ sample_rate_hz: rate, channels }) {
  return rate === RATE && channels.length && channels.every(({ name }) => CHANNELS.includes(name));
}

export class MotionSignal {
  #preparation = new Preparation();
  #stream;
  #charts;
  #select;
  #steps = 0;
  #chunk = [];
  /** Steps a second. */ rate = RATE;

  /** `charts` are those of acceleration and rotation. */
  constructor({ channels }, stream, charts) {
    this.#stream = stream;
    this.#charts = charts;
    this.#select = channels.map(({ name }) => CHANNELS.indexOf(name));
  }

  /** How much was taken. */
  get seconds() {
    return this.#steps / RATE;
  }

  /** Takes the next reading; whether something was sent. Throws as `Stream.send` does. */
  take(reading) {
    const step = this.#preparation.push(reading);
    this.#steps += 1;
    this.#charts.acceleration.push(this.seconds, step.slice(6, 9));
    this.#charts.rotation.push(this.seconds, step.slice(3, 6));
    this.#chunk.push(this.#select.map((channel) => Number(step[channel].toFixed(6))));
    return this.#chunk.length === CHUNK && this.finish();
  }

  /** Sends what has waited for more; whether there was any. */
  finish() {
    const chunk = this.#chunk;
    this.#chunk = [];
    if (chunk.length) this.#stream.send(chunk);
    return chunk.length > 0;
  }
}
