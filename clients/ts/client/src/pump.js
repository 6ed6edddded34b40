// What holds a stream's connection: connects, sends, receives, and begins again where it broke.

import { Connection } from "./connection.js";
import { Expired, LarnnError, ProtocolError, StreamClosed } from "./errors.js";
import { FrameReader } from "./frames.js";
import { width } from "./messages.js";
import { News } from "./news.js";
import { Outbox } from "./outbox.js";
import { Recovery } from "./recovery.js";
import { StreamPath } from "./stream_options.js";
import { onWake } from "./wake.js";

/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./messages.js").Prediction} Prediction */
/** @typedef {import("./service.js").Service} Service */
/** @typedef {import("./stream_options.js").StreamOptions} StreamOptions */

/**
 * @typedef {object} Told
 * @property {(opened: Opened & {first: number, again: number}) => void} opened
 * @property {(lost: {reason: string, delay: number}) => void} lost
 */

export class Pump {
  /** @type {Opened | undefined} */ opened;
  /** @type {Prediction[]} */ predictions = [];
  /** @type {number | undefined} */ ended;
  unread = 0;
  #service;
  #wish;
  #path;
  #told;
  #recovery;
  #outbox;
  /** @type {LarnnError | undefined} */ #failure;
  /** @type {Connection | undefined} */ #connection;
  #away = false;
  #resumeAt = 0; // when to connect again
  #news = new News();

  /**
   * Throws BadInput for a context that is none.
   * @param {Service} service
   * @param {StreamOptions} wish
   * @param {Told} told what is told of the connections
   */
  constructor(service, wish, told) {
    this.#service = service;
    this.#wish = wish;
    this.#path = new StreamPath(wish);
    this.#told = told;
    this.#recovery = new Recovery(service);
    this.#outbox = new Outbox(wish, this.#recovery);
  }

  /** What was sent, answered and read. Throws StreamClosed before the stream is open. */
  get journal() {
    return this.#outbox.journal;
  }

  /** Whether the caller sends no more. */
  get ending() {
    return this.#outbox.ending;
  }

  /**
   * Take steps to be sent, in chunks of at most so many; their end.
   * @param {Float32Array} data
   * @param {number} [most]
   */
  send(data, most) {
    this.check();
    const { journal } = this;
    this.unread += journal.append(data, width(/** @type {Opened} */ (this.opened)), most);
    this.#outbox.flush();
    return journal.end;
  }

  /** The next prediction, which the caller reads: also one that came before the stream failed. */
  take() {
    const prediction = this.predictions.shift();
    if (prediction) {
      this.journal.read = prediction.position;
      this.unread -= 1;
    }
    return prediction;
  }

  /** Send no more, and `end` when all is answered. */
  end() {
    this.check();
    this.#outbox.ending = true;
    this.#outbox.flush();
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
    const url = this.#service.url(this.#recovery.address, this.#path.of(this.opened?.stream));
    const connection = new Connection(this.#service, url, Boolean(this.#wish.binary));
    this.#connection = connection;
    try {
      const opened = await connection.receive();
      if (opened.type !== "opened") {
        throw new ProtocolError("the service did not begin with `opened`");
      }
      connection.reader = new FrameReader(opened.opened, this.#wish);
      this.#begin(connection, opened.opened);
      while (this.ended === undefined) {
        const message = await connection.receive();
        if (message.type === "ended") this.ended = message.position;
        else if (message.type === "prediction") this.#settle(message.prediction);
        else throw new ProtocolError("the service opened the stream twice");
        this.#news.tell();
      }
    } finally {
      this.#connection = undefined;
      this.#outbox.pause();
      connection.abort();
    }
  }

  /**
   * @param {Connection} connection
   * @param {Opened} opened
   */
  #begin(connection, opened) {
    const sends = this.#outbox.begin(connection, opened);
    this.opened = opened;
    this.#recovery.opened(opened);
    if (this.journal.settled) this.#recovery.succeeded();
    this.#told.opened({ ...opened, ...sends });
    this.#outbox.flush();
    this.#news.tell();
  }

  /** @param {Prediction} prediction */
  #settle(prediction) {
    this.check();
    const latency = this.#outbox.settle(prediction.position, prediction.durable);
    if (latency !== undefined) this.predictions.push({ ...prediction, latency });
    this.#recovery.succeeded();
    this.#outbox.flush();
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
    if (error instanceof Expired && this.#outbox.mayHaveEnded) this.ended = this.journal.end;
    return this.ended !== undefined;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#failure =
      error instanceof LarnnError ? error : new LarnnError(`the stream's task failed: ${error}`);
  }
}
