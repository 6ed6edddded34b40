// What a stream has sent, what is answered, what is durable: the bookkeeping without any I/O.

export class BufferFull extends Error {}
export class StateLost extends Error {}
export class ProtocolError extends Error {}

/**
 * The chunks {offset, steps} of one stream, from the first that may have to be sent again.
 * A chunk is kept until it is answered and durable. Positions count steps.
 */
export class Journal {
  #kept = [];
  #waiting = [];
  #inFlight = [];
  #maxSteps;

  constructor(position, maxSteps = 16384) {
    this.answered = position;
    this.durable = position;
    this.end = position;
    this.#maxSteps = maxSteps;
  }

  /** Steps held back in case they must be sent again. */
  get held() {
    return this.end - Math.min(this.durable, this.answered);
  }

  /** Whether every chunk is sent and answered on this connection. */
  get settled() {
    return this.#waiting.length === 0 && this.#inFlight.length === 0;
  }

  /** Take the next steps [steps][channels]. Throws BufferFull and then takes none. */
  append(steps) {
    if (this.held + steps.length > this.#maxSteps) {
      throw new BufferFull(`${this.held} steps are held, of ${this.#maxSteps} at most`);
    }
    const chunk = { offset: this.end, steps };
    this.#kept.push(chunk);
    this.#waiting.push(chunk);
    this.end = endOf(chunk);
  }

  /**
   * Begin anew on a connection whose service stands at `position`: from what is unanswered, or from
   * the position where that is smaller. Gives how many steps go for the first time, and again.
   * Throws StateLost where those steps are not kept, ProtocolError where others were sent.
   */
  resume(position) {
    if (position > this.end) {
      throw new ProtocolError(`the service is at step ${position}, this page sent ${this.end}`);
    }
    const start = Math.min(this.answered, position);
    if (start < (this.#kept.length ? this.#kept[0].offset : this.end)) {
      throw new StateLost(`the service is back at step ${position}; that was called durable`);
    }
    const sent = this.#waiting.length ? this.#waiting[0].offset : this.end;
    this.#inFlight = [];
    this.#waiting = this.#kept
      .filter((chunk) => endOf(chunk) > start)
      .map(({ offset, steps }) =>
        offset >= start ? { offset, steps } : { offset: start, steps: steps.slice(start - offset) },
      );
    return { first: this.end - sent, again: sent - start };
  }

  /** The chunk to send now, or undefined. */
  next(maxInFlight) {
    if (this.#inFlight.length >= maxInFlight) return undefined;
    const chunk = this.#waiting.shift();
    if (chunk) this.#inFlight.push(chunk);
    return chunk;
  }

  /** Take the answer to the oldest chunk in flight; whether it is news. Throws ProtocolError. */
  settle(position, durable) {
    if (!this.#inFlight.length || endOf(this.#inFlight[0]) !== position) {
      throw new ProtocolError(`the service answered for position ${position}, unasked`);
    }
    this.#inFlight.shift();
    const news = position > this.answered;
    this.durable = Math.max(this.durable, durable);
    this.answered = Math.max(this.answered, position);
    const done = Math.min(this.answered, this.durable);
    while (this.#kept.length && endOf(this.#kept[0]) <= done) this.#kept.shift();
    return news;
  }
}

function endOf(chunk) {
  return chunk.offset + chunk.steps.length;
}
