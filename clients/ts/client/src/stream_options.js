// What a caller wishes of a stream, and how its address says so.

import { contextJson } from "./context.js";
import { measuredFields } from "./measured.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./measured.js").Measured} Measured */

/**
 * @typedef {object} StreamOptions
 * @property {string} [model] what to run; the service's default unless given
 * @property {number} [version] with `model`: the one that answers unless given
 * @property {string} [resume] the id of a stream to go on with, instead of a new one
 * @property {number} [position] with `resume`: how many of its steps the caller has the answers of
 * @property {boolean} [logits] give logits too
 * @property {"last" | "every" | number} [emit] an answer for each chunk's last step, also one for
 *   every step, or also one for every n-th
 * @property {string[]} [outputs] further outputs of the model to give with each answer
 * @property {boolean} [explain] say where the network looked
 * @property {boolean} [binary] float32 frames and binary answers instead of JSON, where the service
 *   has them
 * @property {Context} [context] of a new stream: what the model is told once
 * @property {Measured} [measured] what its numbers are; compared where the stream is resumed
 * @property {number} [maxInFlight] chunks sent before their answers
 * @property {number} [maxBufferedSteps] steps that are not read, or not durable
 */

/** The path of a stream: what is said of a new one, of one to go on with, and of both. */
export class StreamPath {
  #resume;
  #both;
  #new;

  /**
   * All is read here, once: every connection says the same, whatever the caller does with its
   * arrays. Throws BadInput.
   * @param {StreamOptions} options
   */
  constructor({ model, version, context, resume, measured, ...options }) {
    const { emit = "last", outputs, explain, logits = false } = options;
    this.#resume = resume;
    this.#both = given({
      emit,
      logits,
      explain: explain || undefined,
      outputs: outputs?.length ? outputs.join(",") : undefined,
      ...measuredFields(measured),
    });
    this.#new = given({
      model,
      version: version || undefined,
      context: context && JSON.stringify(contextJson(context)),
    });
  }

  /** @param {string} [stream] the id of the one that was opened before */
  of(stream = this.#resume) {
    const which = stream ? { stream } : this.#new;
    return `/stream?${new URLSearchParams({ ...this.#both, ...which })}`;
  }
}

/**
 * Those that have a value, as text.
 * @param {Record<string, unknown>} fields
 */
function given(fields) {
  const found = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(found.map(([name, value]) => [name, String(value)]));
}
