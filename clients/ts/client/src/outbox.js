// What a stream sends: its chunks, as far as the window goes, and its end.

import { StreamClosed } from "./errors.js";
import { frame } from "./frames.js";
import { Journal } from "./journal.js";
import { encode, END } from "./messages.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./recovery.js").Recovery} Recovery */
/** @typedef {import("./stream_options.js").StreamOptions} StreamOptions */

export class Outbox {
  /** Whether the caller sends no more. */
  ending = false;
  #wish;
  #recovery;
  /** @type {Journal | undefined} */ #journal;
  /** @type {Connection | undefined} not before `opened`: it says where to begin */ #connection;
  #sentAt = /** @type {Map<number, number>} */ (new Map());
  #endSent = false;
  #endSentHere = false; // on this connection

  /**
   * @param {StreamOptions} wish
   * @param {Recovery} recovery which knows how much the service can keep
   */
  constructor(wish, recovery) {
    this.#wish = wish;
    this.#recovery = recovery;
  }

  /** What was sent, answered and read. Throws StreamClosed before the stream is open. */
  get journal() {
    if (!this.#journal) throw new StreamClosed("the stream is not open yet; await ready()");
    return this.#journal;
  }

  /** Whether `end` was taken, if it has come: all else is answered. */
  get mayHaveEnded() {
    return this.#endSent && this.journal.answered === this.journal.end;
  }

  /**
   * A connection has reached the stream: how many steps go for the `first` time, and `again`. Throws
   * what `Journal.resume` does.
   * @param {Connection} connection
   * @param {Opened} opened
   */
  begin(connection, opened) {
    const { position = opened.position, maxBufferedSteps: maxSteps } = this.#wish;
    this.#journal ??= new Journal(position, { consumed: opened.position, maxSteps });
    const sends = this.#journal.resume(opened.position);
    this.#sentAt.clear();
    this.#endSentHere = false;
    this.#connection = connection;
    return sends;
  }

  /** The connection is gone: what is taken waits for the next one. */
  pause() {
    this.#connection = undefined;
  }

  /**
   * Take an answer; the milliseconds that it took, or undefined where the caller has had it.
   * @param {number} position
   * @param {number} durable
   */
  settle(position, durable) {
    const isNew = this.journal.settle(position, durable);
    const latency = performance.now() - (this.#sentAt.get(position) ?? NaN);
    this.#sentAt.delete(position);
    return isNew ? latency : undefined;
  }

  /** Send what there is. */
  flush() {
    const connection = this.#connection;
    if (!connection || this.#endSentHere) return;
    const { journal } = this;
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
}
