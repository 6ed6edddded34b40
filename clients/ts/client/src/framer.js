// Samples of any number, cut into steps of a fixed one.

import { finite } from "./chunk.js";

// Of one message: the service's own limits are beyond both, for JSON too.
const MOST_STEPS = 512;
const MOST_NUMBERS = 2 ** 17;

/**
 * How many steps of fed samples go in one message.
 * @param {number} width numbers of a step
 */
export function mostSteps(width) {
  return Math.max(1, Math.min(MOST_STEPS, Math.floor(MOST_NUMBERS / width)));
}

/** Keeps what does not fill a step until more comes. */
export class Framer {
  #samples;
  #scale;
  /** @type {Float32Array} */ #rest = new Float32Array(0);

  /**
   * @param {number} samples of one step
   * @param {number} [int16Scale] what an int16 sample is multiplied by
   */
  constructor(samples, int16Scale = 1) {
    this.#samples = samples;
    this.#scale = int16Scale;
  }

  /** Samples that wait for more. */
  get rest() {
    return this.#rest.length;
  }

  /**
   * The steps that are whole now, one after the other and maybe none, and what is left behind them:
   * `keep` it once the steps are taken. Throws BadInput.
   * @param {Float32Array | Int16Array} samples
   */
  cut(samples) {
    const scale = samples instanceof Int16Array ? this.#scale : 1;
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    samples.forEach((sample, index) => (all[this.#rest.length + index] = sample * scale));
    finite(all.subarray(this.#rest.length), (index) => `samples[${index}]`);
    const whole = all.length - (all.length % this.#samples);
    return { steps: all.slice(0, whole), rest: all.slice(whole) };
  }

  /**
   * These wait for more, and no others.
   * @param {Float32Array} rest
   */
  keep(rest) {
    this.#rest = rest;
  }
}
