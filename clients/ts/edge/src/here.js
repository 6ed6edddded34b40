// A stream while it runs here.

import { isNotReached } from "./options.js";
import { predictionOf } from "./prediction.js";

/** @typedef {import("@larnn/client").Chunk} Chunk */
/** @typedef {import("./shared.js").Shared} Shared */

export class Here {
  /** Whether it runs here now. */
  running = false;
  #shared;
  #reachable = false;

  /** @param {Shared} shared */
  constructor(shared) {
    this.#shared = shared;
  }

  /** Until the service has the stream again. Throws what ends it for good. */
  async run() {
    const { past, inbox } = this.#shared;
    this.running = true;
    this.#reachable = false;
    past.forget();
    this.#shared.tell("edge", { position: inbox.answered });
    this.#probe();
    while (!inbox.failure) {
      const caughtUp = past.state.position >= inbox.answered;
      if (caughtUp && this.#reachable && !this.#shared.away) {
        if (await this.#return()) break;
        continue;
      }
      const chunk = past.next();
      if (chunk) await this.#step(chunk);
      else await inbox.news.next();
    }
    this.running = false;
    inbox.news.tell(); // `probe` has nothing to ask any more
  }

  /** Ask whether the service answers. Throws where it does not. */
  async ask() {
    await this.#shared.client.models();
    this.#reachable = !this.#shared.away;
    this.#shared.inbox.news.tell();
  }

  /** @param {Chunk} chunk the next steps */
  async #step(chunk) {
    const { past, inbox, model, options } = this.#shared;
    const { state, outputs } = await model.advance(past.state, chunk.data);
    if (chunk.end > inbox.answered) {
      const answer = predictionOf(model.outputs, outputs, chunk, options);
      const latency = inbox.waited(chunk.end);
      this.#shared.take({ ...answer, durable: inbox.durable, latency, edge: true });
    }
    past.keep(state);
  }

  /** Whether the service has taken the state of here. */
  async #return() {
    const { past, inbox, handover } = this.#shared;
    const { state } = past;
    try {
      if (!(await handover.give(state))) return false;
    } catch (error) {
      if (!isNotReached(error)) throw error;
      this.#reachable = false;
      return false;
    }
    inbox.durable = state.position;
    this.#shared.tell("returned", { position: state.position });
    return true;
  }

  /** While the stream runs here: ask again and again. */
  async #probe() {
    const { inbox, options } = this.#shared;
    while (this.running && !inbox.failure) {
      try {
        if (this.#shared.away || this.#reachable) await inbox.news.next();
        else await this.ask();
      } catch (error) {
        if (!isNotReached(error)) return inbox.fail(error);
        await inbox.news.next(options.patience);
      }
    }
  }
}
