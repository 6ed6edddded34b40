// From where a stream goes on: a state, and the chunks since then.

import { read } from "./safetensors.js";

/** @typedef {import("@larnn/client").Chunk} Chunk */
/** @typedef {import("@larnn/client").Client} Client */
/** @typedef {import("./safetensors.js").State} State */

export class Past {
  /** @type {Chunk[]} those that end behind the state */ chunks = [];
  #every;
  #fetching = false;
  /** @type {unknown} of the last fetching */ #error;
  /** @type {State | undefined} */ #fetched;

  /**
   * @param {State} state
   * @param {number} every so many steps the state is fetched
   */
  constructor(state, every) {
    this.state = state;
    this.#every = every;
  }

  /** @param {Chunk} chunk the next steps of the stream */
  append(chunk) {
    this.chunks.push(chunk);
  }

  /** The next steps behind the state, if any. */
  next() {
    return this.chunks[0]?.from(this.state.position);
  }

  /** @param {State} state a later one */
  keep(state) {
    this.state = state;
    this.chunks = this.chunks.filter((chunk) => chunk.end > state.position);
  }

  /** What was fetched from the service, and is not kept yet, is of no use any more. */
  forget() {
    this.#fetched = undefined;
  }

  /**
   * Fetch the service's state now and then, and keep it once its steps are answered.
   * @param {Client} client
   * @param {string} stream its id
   * @param {number} answered steps
   */
  refresh(client, stream, answered) {
    const fetched = this.#fetched;
    if (fetched && fetched.position <= answered) {
      if (fetched.position > this.state.position) this.keep(fetched);
      this.#fetched = undefined;
    } else if (!fetched && !this.#fetching && answered - this.state.position >= this.#every) {
      this.#fetching = true;
      client
        .state(stream)
        .then((file) => {
          this.#fetched = read(file);
          this.#error = undefined;
        })
        .catch((error) => (this.#error = error)) // the older one stays
        .finally(() => (this.#fetching = false));
    }
  }

  /**
   * Why no more steps are taken, and what to do.
   * @param {number} held steps
   */
  fullOf(held) {
    const trouble = this.#error ? `; the service's state could not be fetched: ${this.#error}` : "";
    return `${held} steps are held; read the predictions${trouble}`;
  }
}
