// What goes over the wire, both ways, and the types in which it reaches the caller.

import { ProtocolError, refused } from "./errors.js";

/** @typedef {import("./chunk.js").Chunk} Chunk */
/** @typedef {import("./errors.js").Refused} Refused */

/**
 * An output of a model, the first of which is its answer.
 * @typedef {object} Output
 * @property {string} name
 * @property {"classes" | "tags" | "probability" | "values" | "raw"} task
 *   `classes`: a label and probabilities that add up to 1. `tags`: a probability of each label by
 *   itself. `probability`: likewise, as the network gives it. `values`: numbers with names and
 *   units. `raw`: an array.
 * @property {string} dtype
 * @property {string[]} [labels] of classes, tags and probabilities
 * @property {{name: string, unit: string}[]} [values] of values
 * @property {number[]} [shape] of one step of a raw output; none of a number
 * @property {number} [unsure_above] of a single value: where it is larger, the answer is not to be
 *   relied on
 */

/**
 * What the model says of a sequence, or of a step of a stream. What is there depends on the task of
 * its output.
 * @typedef {object} Answer
 * @property {string} [label] of classes
 * @property {Record<string, number>} [probabilities] of classes, tags and probabilities, by label
 * @property {(number | null)[]} [logits] of classes and tags, where asked
 * @property {Record<string, number>} [values] of values, by name
 * @property {any} [output] of a raw output: nested arrays of its shape
 * @property {Record<string, Answer>} [outputs] further outputs by name, where asked
 */

/**
 * The answer to a chunk, of its last step.
 * @typedef {Answer & PredictionOnly} Prediction
 */

/**
 * @typedef {object} PredictionOnly
 * @property {number} position steps of the stream up to the end of the chunk
 * @property {number} durable steps that the service's store holds
 * @property {Answer[]} [steps] one for each step of the chunk that `emit` asks for; none with "last"
 * @property {number[][][]} [attention] [layers][heads][k] where the last step looked, where asked
 * @property {number} latency milliseconds from when the chunk went out until this came
 */

/**
 * What a step is: channels by name, a range of channels, or a frame of samples of one signal.
 * @typedef {object} Input
 * @property {{name: string, unit: string}[]} [channels]
 * @property {{prefix: string, count: number, unit: string}} [range]
 * @property {Frame} [frame]
 */

/**
 * @typedef {object} Frame
 * @property {number} samples of one step
 * @property {string} unit
 * @property {number} [sample_rate_hz] of the samples
 * @property {number} [int16_scale] what an int16 sample is multiplied by
 */

/**
 * A stream as the service sees it.
 * @typedef {object} Opened
 * @property {string} stream whoever has this id, and the key that opened it, can resume the stream
 * @property {string} model
 * @property {number} version
 * @property {number} position
 * @property {number} durable
 * @property {"connection" | "restart" | "replica" | "failover"} survives what the service's store can promise
 * @property {string[]} channels
 * @property {string[]} labels
 * @property {Input} [input]
 * @property {Output[]} [outputs] the answer first
 * @property {string} [units] in which steps are sent, where these are not the model's
 * @property {string} [axes] as which they are sent, likewise
 */

/**
 * A tensor that is given once, when a stream opens or with a request.
 * @typedef {object} ContextTensor
 * @property {string} name
 * @property {number[]} shape
 * @property {string} dtype
 * @property {string} description
 * @property {unknown} [default] what it is unless given; without one it must be given
 */

/**
 * A served model, as `GET /models` has it.
 * @typedef {object} Model
 * @property {string} name
 * @property {number} version
 * @property {string} description
 * @property {string} provider the execution provider that runs it
 * @property {number | null} sample_rate_hz
 * @property {{name: string, unit: string}[]} channels
 * @property {string[]} labels
 * @property {Output[]} outputs the answer first
 * @property {Input} [input]
 * @property {ContextTensor[]} [context] what it is told once
 * @property {boolean} [explains] whether it can say where it looked
 */

/** @typedef {{default: string, models: Model[]}} Models */
/** @typedef {{model: string, version: number, predictions: Answer[]}} Classification */
/** @typedef {{type: "opened", opened: Opened}} OpenedMessage */
/** @typedef {{type: "prediction", prediction: Prediction}} PredictionMessage */
/** @typedef {{type: "ended", position: number}} EndedMessage */

export const JSON_V1 = "larnn.json.v1";
export const END = '{"type": "end"}';

/**
 * A chunk as a message of JSON, which acknowledges the answers up to `acked`.
 * @param {Chunk} chunk
 * @param {number} acked
 */
export function encode(chunk, acked) {
  return JSON.stringify({ type: "chunk", offset: chunk.offset, acked, steps: chunk.rows() });
}

/**
 * A message of the service. Throws ProtocolError, and the Refused that an error message tells.
 * @param {string} text
 * @returns {OpenedMessage | PredictionMessage | EndedMessage}
 */
export function decode(text) {
  const message = parsed(text);
  const isPlaced = counts(message?.position);
  const isKept = isPlaced && counts(message.durable);
  if (message?.type === "opened" && isKept) return { type: "opened", opened: message };
  if (message?.type === "prediction" && isKept) {
    const { type, predictions, ...prediction } = message;
    if (predictions) prediction.steps = predictions;
    return { type, prediction };
  }
  if (message?.type === "ended" && isPlaced) return message;
  if (message?.type === "error" && message.code) throw refusal(message);
  throw new ProtocolError(`the service sent what cannot be read: ${text.slice(0, 100)}`);
}

/** Whether it is a number of steps. @param {unknown} found */
function counts(found) {
  return Number.isSafeInteger(found) && Number(found) >= 0;
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The error of an error message or a problem.
 * @param {{code: string, detail: string, expected_offset?: number}} message
 * @param {number} [retryAfter] milliseconds
 */
export function refusal({ code, detail, expected_offset: expectedOffset }, retryAfter) {
  return refused(code, detail, { expectedOffset, retryAfter });
}

/**
 * Numbers of a step.
 * @param {Opened} opened
 */
export function width({ input, channels }) {
  return (
    input?.frame?.samples ?? input?.range?.count ?? input?.channels?.length ?? channels.length
  );
}
