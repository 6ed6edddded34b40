// What a model is told once, as JSON has it.

import { BadInput } from "./errors.js";

/**
 * By the name of a context tensor: a number, or an array of its shape.
 * @typedef {Record<string, unknown>} Context
 */

/**
 * Numbers and arrays, typed ones too, as JSON has them. Throws BadInput.
 * @param {Context} context
 * @returns {Record<string, unknown>}
 */
export function contextJson(context) {
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [name, plain(name, value)]),
  );
}

/**
 * @param {string} name
 * @param {any} value
 * @returns {unknown}
 */
function plain(name, value) {
  if (typeof value === "boolean" || Number.isFinite(value)) return value;
  if (typeof value === "number") {
    throw new BadInput(`context ${name}: a number is not finite`, "bad_value");
  }
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = Array.from(/** @type {ArrayLike<unknown>} */ (/** @type {unknown} */ (value)));
    return items.map((one) => plain(name, typeof one === "bigint" ? Number(one) : one));
  }
  throw new BadInput(`context ${name} is no array of numbers`, "bad_shape");
}
