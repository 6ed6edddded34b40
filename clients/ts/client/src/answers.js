// From the numbers that a network gives to what its tasks mean, as the service says it.

/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Output} Output */
/** @typedef {ArrayLike<number | bigint>} Numbers */

/**
 * What the numbers of one step, or of a sequence, mean.
 * @param {Output} output
 * @param {Numbers} given the output's numbers, in its shape's order
 * @param {boolean} [logits] whether to give them too
 * @returns {Answer}
 */
export function answerOf(output, given, logits = false) {
  const { task, labels = [], values = [], shape = [], dtype } = output;
  const numbers = Array.from(given, Number);
  const asked = logits ? { logits: numbers.map((one) => (Number.isFinite(one) ? one : null)) } : {};
  if (task === "classes") {
    const label = labels[numbers.indexOf(Math.max(...numbers))];
    return { label, probabilities: named(labels, softmax(numbers)), ...asked };
  }
  if (task === "tags") {
    const each = numbers.map((one) => 1 / (1 + Math.exp(-one)));
    return { probabilities: named(labels, each), ...asked };
  }
  if (task === "probability") return { probabilities: named(labels, numbers) };
  if (task === "values") return { values: named(values.map(({ name }) => name), numbers) };
  return { output: nested(dtype === "bool" ? numbers.map(Boolean) : numbers, shape) };
}

/** @param {number[]} numbers */
function softmax(numbers) {
  const most = Math.max(...numbers);
  const each = numbers.map((one) => Math.exp(one - most));
  const all = each.reduce((sum, one) => sum + one, 0);
  return each.map((one) => one / all);
}

/**
 * @param {string[]} names
 * @param {number[]} numbers
 * @returns {Record<string, number>}
 */
function named(names, numbers) {
  return Object.fromEntries(names.map((name, index) => [name, numbers[index] ?? NaN]));
}

/**
 * @param {(number | boolean)[]} numbers
 * @param {number[]} shape
 * @returns {any}
 */
function nested(numbers, [size, ...inner]) {
  if (size === undefined) return numbers[0];
  const part = numbers.length / size;
  return Array.from({ length: size }, (_, at) =>
    nested(numbers.slice(at * part, (at + 1) * part), inner),
  );
}
