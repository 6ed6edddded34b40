// What a stream has sent, what is answered, what is durable: the bookkeeping without any I/O.

import { Chunk } from "./chunk.js";
import { BufferFull, ProtocolError, StateLost } from "./errors.js";

/**
 * The chunks of one stream, from the first that may have to be sent again.
 *
 * Positions count steps: `durable` and `answered` ≤ `end`; `read` ≤ `answered`. A chunk is kept
 * until it is answered and durable.
 */
export class Journal {
  /** @type {Chunk[]} */ #kept = [];
  /** @type {Chunk[]} */ #waiting = [];
  /** @type {Chunk[]} */ #inFlight = [];
  #sent;
  #consumedBefore;
  #maxSteps;

  /**
   * `position` steps are sent and answered; the service has consumed `consumed`.
   * @param {number} position
   * @param {{consumed?: number, maxSteps?: number}} [options]
   */
  constructor(position, { consumed = position, maxSteps = 16_384 } = {}) {
    /** The end of the last chunk whose answer has come. */
    this.answered = position;
    /** The end of the last chunk whose answer the caller has taken. */
    this.read = position;
    /** The store holds the stream up to here, as far as this client was told. */
    this.durable = position;
    /** Steps taken from the caller, over the stream's whole life. */
    this.end = position;
    this.#sent = position;
    this.#consumedBefore = consumed;
    this.#maxSteps = maxSteps;
  }

  /** Steps held back: they are not read, or may have to be sent again. */
  get held() {
    return this.end - Math.min(this.durable, this.read);
  }

  /** Whether every chunk is sent and answered on this connection. */
  get settled() {
    return !this.#waiting.length && !this.#inFlight.length;
  }

  /**
   * Take the next steps, `width` numbers each, in chunks of at most so many; how many chunks.
   * Throws BufferFull and then takes none.
   * @param {Float32Array} data
   * @param {number} width
   * @param {number} [most] steps of a chunk
   */
  append(data, width, most = data.length / width) {
    if (this.held + data.length / width > this.#maxSteps) {
      const todo = this.read <= this.durable ? "read the predictions" : "wait for a checkpoint";
      throw new BufferFull(
        `${this.held} steps are held, of ${this.#maxSteps} at most: ${this.end - this.answered} ` +
          `unanswered, ${this.answered - this.read} not read, ${this.end - this.durable} not ` +
          `durable; ${todo}, or give the stream a larger maxBufferedSteps`,
      );
    }
    const size = most * width;
    for (let start = 0; start < data.length; start += size) {
      const chunk = new Chunk(this.end, data.subarray(start, start + size), width);
      this.#kept.push(chunk);
      this.#waiting.push(chunk);
      this.end = chunk.end;
    }
    return Math.ceil(data.length / size);
  }

  /**
   * Begin anew on a connection whose service stands at `position`: from what is unanswered, or from
   * the position where that is smaller. Gives how many steps go for the first time, and again.
   * Throws StateLost where those steps are not kept, ProtocolError where others were sent.
   * @param {number} position
   */
  resume(position) {
    if (position > Math.max(this.end, this.#consumedBefore)) {
      throw new ProtocolError(
        `the service has consumed ${position} steps, of which this client sent ${this.end}: ` +
          "another client writes to this stream",
      );
    }
    const start = Math.min(this.answered, position);
    if (start < (this.#kept[0]?.offset ?? this.end)) {
      throw new StateLost(
        `the service stands at step ${position}, behind what is kept here: it had called ` +
          `${this.durable} steps durable; open a new stream`,
      );
    }
    this.#inFlight = [];
    this.#waiting = this.#kept.filter((chunk) => chunk.end > start).map((one) => one.from(start));
    return { first: this.end - this.#sent, again: this.#sent - start };
  }

  /**
   * The chunk to send now, if any.
   * @param {number} maxInFlight
   */
  next(maxInFlight) {
    if (this.#inFlight.length >= maxInFlight) return undefined;
    const chunk = this.#waiting.shift();
    if (chunk) {
      this.#inFlight.push(chunk);
      this.#sent = Math.max(this.#sent, chunk.end);
    }
    return chunk;
  }

  /**
   * Take the answer to the oldest chunk in flight; whether the caller has not had it yet.
   * @param {number} position
   * @param {number} durable
   */
  settle(position, durable) {
    if (this.#inFlight[0]?.end !== position) {
      throw new ProtocolError(`the service answered for position ${position}, unasked`);
    }
    this.#inFlight.shift();
    const isNew = position > this.answered;
    this.durable = Math.max(this.durable, durable);
    this.answered = Math.max(this.answered, position);
    const done = Math.min(this.answered, this.durable);
    const first = this.#kept.findIndex((chunk) => chunk.end > done);
    this.#kept.splice(0, first < 0 ? this.#kept.length : first);
    return isNew;
  }
}
