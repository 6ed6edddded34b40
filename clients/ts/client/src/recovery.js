// After an error: how long to wait, where to connect next, and when there is no sense in it.

import {
  Backpressure,
  Draining,
  Expired,
  Internal,
  LarnnError,
  Lost,
  mayPass,
  Moved,
  Unknown,
  Unreachable,
} from "./errors.js";

/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./service.js").Service} Service */

const FIRST = 100; // milliseconds
const LONGEST = 5_000;
const MAX_INTERNAL = 3;

/** Exponential waits with full jitter; gives up `retryFor` milliseconds after the last success. */
export class Backoff {
  #retryFor;
  #attempts = 0;
  /** @type {number | undefined} */ #failingSince;

  /** @param {number} retryFor */
  constructor(retryFor) {
    this.#retryFor = retryFor;
  }

  /** Something succeeded: begin anew. */
  reset() {
    this.#attempts = 0;
    this.#failingSince = undefined;
  }

  /**
   * Milliseconds until the next attempt; undefined when the time for attempts is over.
   * @param {unknown} error what the last one met; the service may have asked to be left alone
   */
  delay(error) {
    const now = performance.now();
    this.#failingSince ??= now;
    const atLeast = /** @type {{retryAfter?: number}} */ (error).retryAfter ?? 0;
    const delay = atLeast + Math.random() * Math.min(LONGEST, FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    return now + delay - this.#failingSince > this.#retryFor ? undefined : delay;
  }

  /**
   * The error with which to give up.
   * @param {unknown} error
   */
  final(error) {
    if (error instanceof LarnnError) return error;
    const last = error instanceof Error ? error.message : String(error);
    return new Unreachable(`no success within ${this.#retryFor / 1000} s; last: ${last}`);
  }
}

/** What one stream has learned from its attempts to hold a connection. */
export class Recovery {
  /** The index of the address to connect to. */
  address = 0;
  /** Whether the service cannot keep as many answers as were asked of it. */
  pressed = false;
  #service;
  #backoff;
  /** @type {Opened | undefined} */ #opened;
  #attemptAnswered = false;
  #ghost = false;
  #internalErrors = 0;

  /** @param {Service} service */
  constructor(service) {
    this.#service = service;
    this.#backoff = new Backoff(service.retryFor);
  }

  /** An attempt to connect begins. */
  begins() {
    this.#attemptAnswered = false;
  }

  /**
   * The attempt reached the stream.
   * @param {Opened} opened
   */
  opened(opened) {
    this.#attemptAnswered = true;
    this.#opened = opened;
  }

  /** Something moved on: errors before this do not count any more. */
  succeeded() {
    this.#backoff.reset();
    this.#internalErrors = 0;
  }

  /**
   * Milliseconds until the next attempt. Throws where there shall be none.
   * @param {unknown} error
   */
  after(error) {
    if (this.#isElsewhere(error)) {
      this.address += 1;
      return 0;
    }
    // A browser does not tell a connection that was refused from one that was given up.
    if (error instanceof Lost) this.#ghost ||= !this.#attemptAnswered;
    else if (!this.#mayPass(error)) throw error;
    if (!this.#opened || outlivesReplica(this.#opened)) this.address += 1;
    const delay = this.#backoff.delay(error);
    if (delay === undefined) throw this.#backoff.final(error);
    return delay;
  }

  /**
   * Whether the stream to resume may be at one of the addresses not asked yet.
   * @param {unknown} error
   */
  #isElsewhere(error) {
    const gone = error instanceof Unknown || error instanceof Expired;
    return gone && !this.#opened && this.address + 1 < this.#service.addresses.length;
  }

  /** @param {unknown} error */
  #mayPass(error) {
    if (error instanceof Draining && this.#opened?.survives === "connection") {
      throw new Expired(
        "the replica that held the stream is shutting down, and keeps streams in its memory " +
          "alone; open a new one",
        "expired",
      );
    }
    if (error instanceof Backpressure) {
      const again = !this.pressed;
      this.pressed = true;
      return again;
    }
    if (error instanceof Internal) {
      this.#internalErrors += 1;
      return this.#internalErrors < MAX_INTERNAL;
    }
    if (error instanceof Moved) {
      const mine = this.#ghost; // by an attempt that this client had given up itself?
      this.#ghost = false;
      return mine;
    }
    return mayPass(error);
  }
}

/** Whether other addresses have the stream too. @param {Opened} opened */
function outlivesReplica({ survives }) {
  return survives === "replica" || survives === "failover";
}
