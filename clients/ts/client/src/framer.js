// Samples of any number, cut into steps of a fixed one.

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
   * The steps that are whole now, one after the other; empty where there is none.
   * @param {Float32Array | Int16Array} samples
   */
  push(samples) {
    const scale = samples instanceof Int16Array ? this.#scale : 1;
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    samples.forEach((sample, index) => (all[this.#rest.length + index] = sample * scale));
    const whole = all.length - (all.length % this.#samples);
    this.#rest = all.slice(whole);
    return all.slice(0, whole);
  }
}
