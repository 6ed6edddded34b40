// What holds a stream's connection: connects, sends, receives, and begins again where it broke.

import { Connection } from "./connection.js";
import { contextJson } from "./context.js";
import { Expired, LarnnError, ProtocolError, StreamClosed } from "./errors.js";
import { frame, FrameReader } from "./frames.js";
import { Journal } from "./journal.js";
import { measuredFields } from "./measured.js";
import { encode, END, width } from "./messages.js";
import { News } from "./news.js";
import { Recovery } from "./recovery.js";
import { onWake } from "./wake.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./measured.js").Measured} Measured */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./messages.js").Prediction} Prediction */
/** @typedef {import("./service.js").Service} Service */

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

/**
 * @typedef {object} Told
 * @property {(opened: Opened & {first: number, again: number}) => void} opened
 * @property {(lost: {reason: string, delay: number}) => void} lost
 */

export class Pump {
  /** @type {Opened | undefined} */ opened;
  /** @type {Journal | undefined} */ journal;
  /** @type {Prediction[]} */ predictions = [];
  /** @type {number | undefined} */ ended;
  unread = 0;
  ending = false;
  #service;
  #wish;
  #told;
  #recovery;
  /** @type {LarnnError | undefined} */ #failure;
  /** @type {Connection | undefined} */ #connection;
  #sentAt = /** @type {Map<number, number>} */ (new Map());
  #talking = false; // not before `opened`: it says where to begin
  #endSent = false;
  #endSentHere = false; // on this connection
  #away = false;
  #resumeAt = 0; // when to connect again
  #news = new News();

  /**
   * @param {Service} service
   * @param {StreamOptions} wish
   * @param {Told} told what is told of the connections
   */
  constructor(service, wish, told) {
    this.#service = service;
    this.#wish = wish;
    this.#told = told;
    this.#recovery = new Recovery(service);
  }

  /**
   * Take steps to be sent, in chunks of at most so many; their end.
   * @param {Float32Array} data
   * @param {number} [most]
   */
  send(data, most) {
    const journal = this.#begun();
    this.unread += journal.append(data, width(/** @type {Opened} */ (this.opened)), most);
    this.#flush();
    return journal.end;
  }

  /** The next prediction, which the caller reads: also one that came before the stream failed. */
  take() {
    const prediction = this.predictions.shift();
    if (prediction && this.journal) {
      this.journal.read = prediction.position;
      this.unread -= 1;
    }
    return prediction;
  }

  /** Send no more, and `end` when all is answered. */
  end() {
    this.check();
    this.ending = true;
    this.#flush();
  }

  /** Whoever waits is told that the stream is closed. */
  close() {
    this.#failure ??= new StreamClosed("the stream was closed here");
    this.#connection?.abort();
    this.#news.tell();
  }

  /** Drop the connection, and stay away until `reconnect`. */
  disconnect() {
    this.#away = true;
    this.#connection?.abort();
  }

  /** Connect now, whatever it waits for. */
  reconnect() {
    this.#away = false;
    this.#resumeAt = 0;
    this.#recovery.succeeded();
    this.#news.tell();
  }

  /** Throws what ended the stream for good. */
  check() {
    if (this.#failure) throw this.#failure;
  }

  /**
   * Wait for it. Throws what ended the stream before.
   * @param {() => boolean} condition
   */
  async until(condition) {
    while (!condition()) {
      this.check();
      if (this.ended !== undefined) {
        throw new StreamClosed("the stream has ended, and all its predictions are read");
      }
      await this.#news.next();
    }
  }

  /** Hold a connection until the stream has ended, or fails for good. */
  async run() {
    const stop = onWake(() => this.#woken());
    while (this.ended === undefined && !this.#failure) {
      try {
        await this.#oneConnection();
      } catch (error) {
        await this.#recover(error);
      }
    }
    stop();
    this.#news.tell();
  }

  /** What stood still while the device slept says nothing: connect now, or doubt the connection. */
  #woken() {
    if (this.#connection) this.#connection.doubt();
    else if (!this.#away) this.reconnect();
  }

  async #oneConnection() {
    this.#recovery.begins();
    const connection = new Connection(this.#service, this.#url(), Boolean(this.#wish.binary));
    this.#connection = connection;
    try {
      const opened = await connection.receive();
      if (opened.type !== "opened") {
        throw new ProtocolError("the service did not begin with `opened`");
      }
      connection.reader = new FrameReader(opened.opened, this.#wish);
      this.#begin(opened.opened);
      while (this.ended === undefined) {
        const message = await connection.receive();
        if (message.type === "ended") this.ended = message.position;
        else if (message.type === "prediction") this.#settle(message.prediction);
        else throw new ProtocolError("the service opened the stream twice");
        this.#news.tell();
      }
    } finally {
      this.#connection = undefined;
      this.#talking = false;
      connection.abort();
    }
  }

  /** @param {Opened} opened */
  #begin(opened) {
    const { position = opened.position, maxBufferedSteps: maxSteps } = this.#wish;
    this.journal ??= new Journal(position, { consumed: opened.position, maxSteps });
    const sends = this.journal.resume(opened.position);
    this.opened = opened;
    this.#recovery.opened(opened);
    if (this.journal.settled) this.#recovery.succeeded();
    this.#sentAt.clear();
    this.#talking = true;
    this.#endSentHere = false;
    this.#told.opened({ ...opened, ...sends });
    this.#flush();
    this.#news.tell();
  }

  /** @param {Prediction} prediction */
  #settle(prediction) {
    const { position, durable } = prediction;
    if (this.#begun().settle(position, durable)) {
      const sent = this.#sentAt.get(position) ?? NaN;
      this.predictions.push({ ...prediction, latency: performance.now() - sent });
    }
    this.#sentAt.delete(position);
    this.#recovery.succeeded();
    this.#flush();
  }

  /** Send what there is, as far as the window goes. */
  #flush() {
    const connection = this.#connection;
    if (!connection || !this.#talking || this.#endSentHere) return;
    const journal = this.#begun();
    for (let chunk; (chunk = journal.next(this.#window)); ) {
      const had = this.#recovery.pressed ? journal.answered : journal.read;
      const acked = Math.min(had, chunk.offset);
      this.#sentAt.set(chunk.end, performance.now());
      connection.send(connection.binary ? frame(chunk, acked) : encode(chunk, acked));
    }
    if (this.ending && journal.settled) {
      this.#endSent = this.#endSentHere = true; // it must not overtake a chunk to be sent again
      connection.send(END);
    }
  }

  /** Chunks in flight; one alone where the service cannot keep so many answers. */
  get #window() {
    return this.#recovery.pressed ? 1 : (this.#wish.maxInFlight ?? 16);
  }

  /** @param {unknown} error */
  async #recover(error) {
    if (this.#failure || this.#hadEnded(error)) return;
    try {
      const delay = this.#recovery.after(error);
      this.#resumeAt = performance.now() + delay;
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#away) this.#told.lost({ reason, delay });
    } catch (final) {
      this.#fail(final);
    }
    while (!this.#failure && (this.#away || performance.now() < this.#resumeAt)) {
      await this.#news.next(this.#away ? undefined : this.#resumeAt - performance.now());
    }
  }

  /**
   * Whether `end` was taken, and its answer alone was lost.
   * @param {unknown} error
   */
  #hadEnded(error) {
    const { journal } = this;
    if (error instanceof Expired && this.#endSent && journal?.answered === journal?.end) {
      this.ended = journal?.end;
    }
    return this.ended !== undefined;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#failure =
      error instanceof LarnnError ? error : new LarnnError(`the stream's task failed: ${error}`);
  }

  #begun() {
    this.check();
    if (!this.journal) throw new StreamClosed("the stream is not open");
    return this.journal;
  }

  #url() {
    const { model, version, context, resume, emit = "last", outputs, explain } = this.#wish;
    const { logits = false } = this.#wish;
    const query = new URLSearchParams({ emit: String(emit), logits: String(logits) });
    if (explain) query.set("explain", "true");
    if (outputs?.length) query.set("outputs", outputs.join(","));
    const said = Object.entries(measuredFields(this.#wish.measured));
    for (const [name, value] of said) query.set(name, String(value));
    const stream = this.opened?.stream ?? resume;
    if (stream) query.set("stream", stream);
    else if (model) query.set("model", model);
    if (!stream && version) query.set("version", String(version));
    if (!stream && context) query.set("context", JSON.stringify(contextJson(context)));
    return this.#service.url(this.#recovery.address, `/stream?${query}`);
  }
}
