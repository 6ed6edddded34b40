// The client: classify sequences, list models, open and resume streams, move their state.

import { flat } from "./chunk.js";
import { contextJson } from "./context.js";
import { BadInput, Internal, LarnnError, Lost, mayPass, ProtocolError } from "./errors.js";
import { measuredFields } from "./measured.js";
import { refusal } from "./messages.js";
import { npy } from "./npy.js";
import { Backoff } from "./recovery.js";
import { Service } from "./service.js";
import { Stream } from "./stream.js";

/** @typedef {import("./chunk.js").Steps} Steps */
/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./measured.js").Measured} Measured */
/** @typedef {import("./messages.js").Classification} Classification */
/** @typedef {import("./messages.js").Models} Models */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./service.js").ServiceOptions} ServiceOptions */
/** @typedef {import("./stream_options.js").StreamOptions} StreamOptions */

/**
 * What `classify` may be told.
 * @typedef {object} ClassifyOptions
 * @property {string} [model]
 * @property {boolean} [logits] give logits too
 * @property {string[]} [outputs] further outputs to give
 * @property {Context} [context] what the model is told of all sequences
 * @property {Measured} [measured] what their numbers are
 */

const MAX_INTERNAL = 2;

/** A service at one address or several, in the order in which to try them. */
export class Client {
  #service;
  #address = 0;

  /**
   * @param {string | string[]} addresses like `http://localhost:8000`
   * @param {ServiceOptions} [options]
   */
  constructor(addresses, options = {}) {
    this.#service = new Service([addresses].flat(), options);
  }

  /**
   * Classify sequences [batch][steps][channels], each with its own number of steps. Tries again,
   * elsewhere too, while nothing answers or the service is full.
   * @param {ArrayLike<number>[][]} sequences
   * @param {ClassifyOptions} [options]
   * @returns {Promise<Classification>}
   */
  async classify(sequences, { model, logits = false, outputs = [], context, measured } = {}) {
    const [told, said] = [context && contextJson(context), measuredFields(measured)];
    const place = (/** @type {number} */ index) => `sequences[${index}]`;
    const flats = sequences.map((sequence, index) => flat(sequence, undefined, place(index)));
    const [first] = flats;
    if (!first) throw new BadInput("there is no sequence to classify", "bad_shape");
    const oneShape = flats.every(
      ({ data, width }) => data.length === first.data.length && width === first.width,
    );
    if (!oneShape) {
      const rows = sequences.map((steps) => steps.map((step) => Array.from(step)));
      const further = outputs.length ? { outputs } : {};
      const body = { sequences: rows, model, logits, context: told, ...further, ...said };
      return this.#persist("/classify", json("POST", body));
    }
    const query = new URLSearchParams({ logits: String(logits) });
    if (model) query.set("model", model);
    if (outputs.length) query.set("outputs", outputs.join(","));
    if (told) query.set("context", JSON.stringify(told));
    for (const [name, value] of Object.entries(said)) query.set(name, String(value));
    const shape = [flats.length, first.data.length / first.width, first.width];
    return this.#persist(`/classify?${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/x-npy" },
      body: npy(flats.map(({ data }) => data), shape),
    });
  }

  /**
   * What the service serves. Tries again as `classify` does.
   * @returns {Promise<Models>}
   */
  models() {
    return this.#persist("/models");
  }

  /**
   * A new stream, or that of the id `resume`, once the service has opened it.
   *
   * Chunks are sent up to `maxInFlight` ahead of the answers, and the service keeps the answers that
   * are not read.
   * @param {StreamOptions} [options]
   */
  async stream(options = {}) {
    return this.connect(options).ready();
  }

  /**
   * The same at once, before it is open: its events tell when it is.
   * @param {StreamOptions} [options]
   */
  connect(options = {}) {
    if (options.position !== undefined && options.resume === undefined) {
      throw new TypeError("`position` goes with `resume`");
    }
    if (options.context && options.resume !== undefined) {
      throw new TypeError("`context` is given when a stream opens: it stays with it");
    }
    this.#service.WebSocket();
    return new Stream(this.#service, options);
  }

  /**
   * Open a stream that no connection holds, to put a state in it. A `name` that only this caller
   * has makes it the same stream however often it is asked for.
   * @param {{model?: string, version?: number, context?: Context, measured?: Measured}} which
   * @param {string} name
   * @returns {Promise<Opened>}
   */
  open({ context, measured, ...which }, name) {
    const told = context && contextJson(context);
    const request = json("POST", { ...which, context: told, ...measuredFields(measured) });
    return this.#persist("/streams", {
      ...request,
      headers: { ...request.headers, "Idempotency-Key": name },
    });
  }

  /**
   * A stream's state, as a safetensors file.
   * @param {string} stream its id
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  state(stream) {
    return this.#persist(statePath(stream), {}, bytes);
  }

  /**
   * Let a stream go on from such a file. A connection on it is told that it has moved.
   * @param {string} stream its id
   * @param {Uint8Array<ArrayBuffer>} file
   * @returns {Promise<Opened>}
   */
  putState(stream, file) {
    const headers = { "Content-Type": "application/octet-stream" };
    return this.#persist(statePath(stream), { method: "PUT", headers, body: file });
  }

  /**
   * @template T
   * @param {string} path
   * @param {RequestInit} [request]
   * @param {(response: Response) => Promise<T>} [read]
   * @returns {Promise<T>}
   */
  async #persist(path, request = {}, read = object) {
    const backoff = new Backoff(this.#service.retryFor);
    for (let internal = 0; ; ) {
      try {
        return await this.#ask(path, request, read);
      } catch (error) {
        internal += Number(error instanceof Internal);
        const again = error instanceof Lost || (mayPass(error) && internal <= MAX_INTERNAL);
        if (!again) throw error;
        const delay = backoff.delay(error);
        if (delay === undefined) throw backoff.final(error);
        await new Promise((resolve) => setTimeout(resolve, delay));
        this.#address += 1;
      }
    }
  }

  /**
   * @template T
   * @param {string} path
   * @param {RequestInit} request
   * @param {(response: Response) => Promise<T>} read
   */
  async #ask(path, request, read) {
    const { headers, answerTimeout } = this.#service;
    const signal = AbortSignal.timeout(answerTimeout);
    /** @type {RequestInit} a cache would let it wait for the same one that is lost */
    const fresh = { cache: "no-store", signal };
    const asked = { ...request, ...fresh, headers: { ...headers, ...request.headers } };
    try {
      const response = await fetch(this.#service.url(this.#address, path), asked);
      if (response.ok) return await read(response);
      throw await problem(response);
    } catch (error) {
      if (error instanceof LarnnError || error instanceof Lost) throw error;
      throw new Lost(`no answer: ${error}`); // fetch tells no more in a page
    }
  }
}

/**
 * @param {string} method
 * @param {unknown} body
 * @returns {RequestInit}
 */
function json(method, body) {
  const headers = { "Content-Type": "application/json" };
  return { method, headers, body: JSON.stringify(body) };
}

/** @param {string} stream */
function statePath(stream) {
  return `/streams/${encodeURIComponent(stream)}/state`;
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function object(response) {
  const found = await response.text();
  try {
    return JSON.parse(found);
  } catch {
    throw foreign(response);
  }
}

/** @param {Response} response */
async function bytes(response) {
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * The error that a response tells.
 * @param {Response} response
 */
async function problem(response) {
  const body = await response.json().catch(() => ({}));
  if (body?.code && body.detail) {
    const seconds = response.headers.get("Retry-After") ?? "";
    return refusal(body, /^\d+$/.test(seconds) ? 1000 * Number(seconds) : undefined);
  }
  return response.status >= 500 ? new Lost(`answered ${response.status}`) : foreign(response);
}

/** @param {Response} response */
function foreign({ status }) {
  return new ProtocolError(`the address answers ${status}, and not as the service does`);
}
