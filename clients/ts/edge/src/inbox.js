// The predictions that have come and are not read, and how a stream has ended.

import { LarnnError, News, StreamClosed } from "@larnn/client";

/** @typedef {import("@larnn/client").Prediction} Prediction */

/** A prediction, and whether it was made here. @typedef {Prediction & {edge: boolean}} EdgePrediction */

export class Inbox {
  /** @type {EdgePrediction[]} */ #came = [];
  /** @type {LarnnError | undefined} what ended the stream for good */ failure;
  /** @type {number | undefined} where it ended */ ended;
  /** Steps whose answers have come. */
  answered = 0;
  /** Steps whose answers were read. */
  read = 0;
  /** Steps that the service's store holds, as far as it told. */
  durable = 0;
  /** Chunks whose predictions were not read. */
  unread = 0;
  news = new News();
  /** @type {Map<number, number>} */ #sentAt = new Map();

  /** Throws what ended the stream for good. */
  check() {
    if (this.failure) throw this.failure;
  }

  /** @param {unknown} error that ends the stream for good */
  fail(error) {
    this.failure ??= error instanceof LarnnError ? error : new LarnnError(`here: ${error}`);
    this.news.tell();
  }

  /** @param {number} end of a chunk that the caller has sent now */
  expect(end) {
    this.#sentAt.set(end, performance.now());
    this.unread += 1;
  }

  /** Milliseconds since then. @param {number} end of the chunk */
  waited(end) {
    return performance.now() - (this.#sentAt.get(end) ?? NaN);
  }

  /**
   * Take the next one; false where these steps were answered before.
   * @param {EdgePrediction} prediction
   */
  put(prediction) {
    const { position, durable } = prediction;
    if (position <= this.answered) return false;
    this.answered = position;
    this.durable = Math.max(this.durable, durable);
    this.#sentAt.delete(position);
    this.#came.push(prediction);
    this.news.tell();
    return true;
  }

  /** The next prediction. Throws StreamClosed after the last one. */
  async receive() {
    for (;;) {
      const prediction = this.#came.shift();
      if (prediction) {
        this.read = prediction.position;
        this.unread -= 1;
        return prediction;
      }
      this.check();
      if (this.ended !== undefined) throw new StreamClosed("the stream has ended");
      await this.news.next();
    }
  }

  /** Predictions until the stream is ended or closed. */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) yield await this.receive();
    } catch (error) {
      if (!(error instanceof StreamClosed)) throw error;
    }
  }

  /** Where the stream has ended, once it has. */
  async end() {
    while (this.ended === undefined) {
      this.check();
      await this.news.next();
    }
    return this.ended;
  }
}
