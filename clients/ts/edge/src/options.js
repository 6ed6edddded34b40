// How a stream changes places, and which errors make it go on here.

import { Expired, mayPass, ProtocolError, StateLost, Unknown, Unreachable } from "@larnn/client";

/**
 * @typedef {object} EdgeOptions
 * @property {"last" | "every" | number} [emit] as of a stream
 * @property {boolean} [logits]
 * @property {string[]} [outputs]
 * @property {boolean} [explain] at the service alone
 * @property {boolean} [binary]
 * @property {number} [patience] milliseconds without a connection after which it goes on here
 * @property {number} [snapshotSteps] steps after which the state is fetched again; from there a
 *   stream goes on here
 * @property {number} [maxBufferedSteps] steps since that state, or not read
 */

const DEFAULTS = { patience: 1_000, snapshotSteps: 250, maxBufferedSteps: 16_384 };

/**
 * All of them. Throws TypeError for what the service alone converts.
 * @param {EdgeOptions} options
 */
export function complete(options) {
  if ("measured" in options) {
    throw new TypeError("steps that run here too are sent as the model takes them: not `measured`");
  }
  return { ...DEFAULTS, ...options };
}

/**
 * Whether the stream can go on here: the service is away, or has lost what this side still has.
 * @param {unknown} error
 */
export function isAway(error) {
  const away = [Unreachable, Expired, Unknown, StateLost].some((kind) => error instanceof kind);
  return away || mayPass(error);
}

/**
 * Whether the service is away, or something else answers in its place, as a hotel's network does
 * until its guest has signed in.
 * @param {unknown} error
 */
export function isNotReached(error) {
  return isAway(error) || error instanceof ProtocolError;
}
