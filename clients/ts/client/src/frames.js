// Binary frames of larnn.f32.v2: chunks as float32, answers in the dtypes of the model's outputs.

import { answerOf } from "./answers.js";
import { ProtocolError } from "./errors.js";

/** @typedef {import("./chunk.js").Chunk} Chunk */
/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./messages.js").Output} Output */
/** @typedef {import("./messages.js").PredictionMessage} PredictionMessage */

export const BINARY = "larnn.f32.v2";

const HEAD = 24; // position, durable, and of how many steps it tells
/** @typedef {(view: DataView, at: number) => number | bigint} Read */

/** Bytes of a number, and how it is read. */
const DTYPES = /** @type {Record<string, [number, Read]>} */ ({
  bool: [1, (view, at) => view.getUint8(at)],
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at) => view.getInt16(at, true)],
  uint16: [2, (view, at) => view.getUint16(at, true)],
  int32: [4, (view, at) => view.getInt32(at, true)],
  uint32: [4, (view, at) => view.getUint32(at, true)],
  int64: [8, (view, at) => view.getBigInt64(at, true)],
  uint64: [8, (view, at) => view.getBigUint64(at, true)],
  float16: [2, (view, at) => half(view.getUint16(at, true))],
  float32: [4, (view, at) => view.getFloat32(at, true)],
  float64: [8, (view, at) => view.getFloat64(at, true)],
});

/**
 * A chunk as a frame, which acknowledges the answers up to `acked`.
 * @param {Chunk} chunk
 * @param {number} acked
 */
export function frame({ offset, data }, acked) {
  const made = new DataView(new ArrayBuffer(16 + 4 * data.length));
  made.setBigUint64(0, BigInt(offset), true);
  made.setBigUint64(8, BigInt(acked), true);
  data.forEach((value, index) => made.setFloat32(16 + 4 * index, value, true));
  return made.buffer;
}

/** Reads the binary answers of one stream: it knows the outputs and what was asked for. */
export class FrameReader {
  #told;
  #wish;

  /**
   * @param {Opened} opened
   * @param {{outputs?: string[], emit?: "last" | "every" | number, logits?: boolean}} wish
   */
  constructor({ outputs, labels }, wish) {
    /** @type {Output} of a service of before there were tasks */
    const classes = { name: "logits", task: "classes", dtype: "float32", labels };
    const all = outputs ?? [classes];
    this.#told = all.filter(({ name }, index) => !index || wish.outputs?.includes(name));
    this.#wish = wish;
  }

  /**
   * A frame as the message that would say the same in JSON. Throws ProtocolError.
   * @param {ArrayBuffer} buffer
   * @returns {PredictionMessage}
   */
  read(buffer) {
    const view = new DataView(buffer);
    const head = buffer.byteLength < HEAD ? [] : [0, 8, 16];
    const [position = 0, durable = 0, count = 0] = head.map((at) => uint64(view, at));
    const sizes = this.#told.map((output) => bytesOf(output) * numbersOf(output));
    const size = HEAD + count * sizes.reduce((all, one) => all + one, 0);
    if (!count || size !== buffer.byteLength) {
      throw new ProtocolError(`a frame of ${buffer.byteLength} bytes for ${count} steps`);
    }
    const steps = Array.from({ length: count }, (_, step) => this.#step(view, count, step));
    const { emit = "last" } = this.#wish;
    const beside = typeof emit === "number" && position % emit ? 1 : 0; // the last step came unasked
    const emitted = emit === "last" ? {} : { steps: steps.slice(0, count - beside) };
    const last = /** @type {Answer} */ (steps[count - 1]);
    const prediction = { ...last, position, durable, ...emitted, latency: NaN };
    return { type: "prediction", prediction };
  }

  /**
   * @param {DataView} view
   * @param {number} count steps of the frame
   * @param {number} step
   */
  #step(view, count, step) {
    let start = HEAD;
    const answers = this.#told.map((output) => {
      const [size, read] = dtype(output);
      const numbers = numbersOf(output);
      const from = start + step * numbers * size;
      start += count * numbers * size;
      const given = Array.from({ length: numbers }, (_, index) => read(view, from + index * size));
      return [output.name, answerOf(output, given, this.#wish.logits)];
    });
    const [[, answer] = [], ...others] = answers;
    const outputs = others.length ? { outputs: Object.fromEntries(others) } : {};
    return /** @type {Answer} */ ({ .../** @type {Answer} */ (answer), ...outputs });
  }
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function uint64(view, at) {
  return Number(view.getBigUint64(at, true));
}

/** @param {Output} output */
function dtype({ name, dtype }) {
  const known = DTYPES[dtype];
  if (!known) throw new ProtocolError(`the output ${name} is of the unknown type ${dtype}`);
  return known;
}

/** @param {Output} output */
function bytesOf(output) {
  return dtype(output)[0];
}

/** Numbers of one step. @param {Output} output */
function numbersOf({ task, labels = [], values = [], shape = [] }) {
  if (task === "raw") return shape.reduce((all, one) => all * one, 1);
  return task === "values" ? values.length : labels.length;
}

/** The number of a float16's bits. @param {number} bits */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
