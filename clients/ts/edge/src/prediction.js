// The prediction of steps that were run here, as the service would tell it.

import { answerOf } from "@larnn/client";

/** @typedef {import("@larnn/client").Answer} Answer */
/** @typedef {import("@larnn/client").Chunk} Chunk */
/** @typedef {import("@larnn/client").Output} Output */
/** @typedef {import("./tensors.js").TypedArray} TypedArray */

/**
 * @typedef {object} Wish
 * @property {"last" | "every" | number} [emit]
 * @property {boolean} [logits]
 * @property {string[]} [outputs]
 */

/**
 * @param {Output[]} outputs of the model, the answer first
 * @param {Record<string, TypedArray>} numbers [steps × numbers of a step], by output
 * @param {Chunk} chunk
 * @param {Wish} wish
 * @returns {Answer & {position: number, steps?: Answer[]}}
 */
export function predictionOf(outputs, numbers, chunk, { emit = "last", logits, outputs: more = [] }) {
  const at = (/** @type {number} */ step) => {
    const each = outputs
      .filter(({ name }, index) => !index || more.includes(name))
      .map((output) => {
        const all = /** @type {Float32Array} */ (numbers[output.name]);
        const size = all.length / chunk.length;
        return answerOf(output, all.slice(step * size, (step + 1) * size), logits);
      });
    const [answer = {}, ...others] = each;
    if (!others.length) return answer;
    const names = outputs.slice(1).map(({ name }) => name).filter((name) => more.includes(name));
    return { ...answer, outputs: Object.fromEntries(names.map((name, i) => [name, others[i] ?? {}])) };
  };
  const prediction = { ...at(chunk.length - 1), position: chunk.end };
  if (emit === "last") return prediction;
  const every = emit === "every" ? 1 : emit;
  const steps = Array.from({ length: chunk.length }, (_, step) => step);
  return {
    ...prediction,
    steps: steps.filter((step) => (chunk.offset + step + 1) % every === 0).map(at),
  };
}
