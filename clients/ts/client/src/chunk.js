// Steps as callers give them, made float32 and checked as far as this side can.

import { BadInput } from "./errors.js";

/**
 * Steps as an array of rows, one array of numbers a step; or, where the number of channels is
 * known, as one flat Float32Array, step after step.
 * @typedef {ArrayLike<number>[] | Float32Array} Steps
 */

/** Steps of a stream, `offset` of them before. */
export class Chunk {
  /**
   * @param {number} offset
   * @param {Float32Array} data [steps × width], step after step
   * @param {number} width numbers of a step
   */
  constructor(offset, data, width) {
    this.offset = offset;
    this.data = data;
    this.width = width;
  }

  get length() {
    return this.data.length / this.width;
  }

  get end() {
    return this.offset + this.length;
  }

  /**
   * What lies behind a position of the stream.
   * @param {number} start
   */
  from(start) {
    if (start <= this.offset) return this;
    return new Chunk(start, this.data.subarray((start - this.offset) * this.width), this.width);
  }

  /** One array of numbers a step. */
  rows() {
    const { data, width } = this;
    const row = (/** @type {unknown} */ _, /** @type {number} */ step) =>
      Array.from(data.subarray(step * width, (step + 1) * width));
    return Array.from({ length: this.length }, row);
  }
}

/**
 * A flat copy of steps. Throws BadInput.
 * @param {Steps} steps
 * @param {number} [width] numbers of a step; those of the first row unless given
 * @param {string} [place] where the steps stand, for the error
 * @returns {{data: Float32Array, width: number}}
 */
export function flat(steps, width, place = "steps") {
  if (steps instanceof Float32Array) {
    if (!width || steps.length % width) {
      const want = width ? `a multiple of ${width}` : "rows";
      throw new BadInput(`${place} has ${steps.length} numbers, not ${want}`, "bad_shape");
    }
    return { data: checked(steps.slice(), width, place), width };
  }
  const wide = width ?? steps[0]?.length ?? 0;
  const data = new Float32Array(steps.length * wide);
  steps.forEach((row, step) => {
    if (row?.length !== wide) {
      const found = row?.length ?? "no";
      throw new BadInput(`${place}[${step}] has ${found} numbers, not ${wide}`, "bad_shape");
    }
    data.set(row, step * wide);
  });
  return { data: checked(data, wide, place), width: wide };
}

/**
 * @param {Float32Array} data
 * @param {number} width
 * @param {string} place
 */
function checked(data, width, place) {
  if (!data.length) throw new BadInput(`${place} hold at least one step`, "empty_chunk");
  finite(data, (index) => `${place}[${Math.floor(index / width)}][${index % width}]`);
  return data;
}

/**
 * Throws BadInput for the first number that is none.
 * @param {Float32Array} data
 * @param {(index: number) => string} place where the number of that index stands, for the error
 */
export function finite(data, place) {
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new BadInput(`${place(wrong)} is no finite float32`, "bad_value");
}
