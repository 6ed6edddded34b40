// A stream while it runs at the service.

import { Moved, Unreachable } from "@larnn/client";

import { isAway } from "./options.js";

/** @typedef {import("@larnn/client").Stream} Stream */
/** @typedef {import("./shared.js").Shared} Shared */

export class AtService {
  #shared;
  /** @type {Stream | undefined} */ #stream;
  /** @type {Promise<number | undefined> | undefined} */ #ended;
  #ghost = false; // an attempt that was given up here may still reach the service

  /** @param {Shared} shared */
  constructor(shared) {
    this.#shared = shared;
  }

  /** Until the stream has ended, or its service is not there. Throws what ends it for good. */
  async run() {
    const { client, model, options, inbox, handover } = this.#shared;
    const { patience, snapshotSteps, maxBufferedSteps, ...wish } = options;
    const { name, version } = model;
    const { id } = handover;
    const which = id ? { resume: id, position: inbox.answered } : { model: name, version };
    const stream = client.connect({ ...wish, ...which, maxBufferedSteps: Infinity });
    const leave = () => stream.close();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer = setTimeout(leave, patience);
    let connected = false;
    this.#follow(stream, "opened", (opened) => {
      connected = true;
      clearTimeout(timer);
      timer = undefined;
      handover.id = opened.stream;
      this.pass();
    });
    this.#follow(stream, "lost", () => {
      connected = false;
      timer ??= setTimeout(leave, patience);
    });
    this.#stream = stream;
    this.#ended = undefined;
    try {
      for await (const prediction of stream) this.#shared.take({ ...prediction, edge: false });
      this.#ghost ||= !connected;
      inbox.ended = await this.#ended;
    } catch (error) {
      const mine = error instanceof Moved && this.#ghost;
      if (!mine && !isAway(error)) throw error;
      this.#ghost = !mine && (this.#ghost || (error instanceof Unreachable && !connected));
    } finally {
      clearTimeout(timer);
      this.#stream = undefined;
    }
  }

  /** Give the service what it has not got; and the end, where all is given. */
  pass() {
    const stream = this.#stream;
    if (!stream?.isOpen) return;
    try {
      for (const chunk of this.#shared.past.chunks) {
        if (chunk.end > stream.position) stream.send(chunk.from(stream.position).data);
      }
      if (this.#shared.ending) this.#ended ??= stream.end().catch(() => undefined);
    } catch {
      // whoever reads its predictions is told why
    }
  }

  /** Drop the connection. */
  close() {
    this.#stream?.close();
  }

  /**
   * Tell an event of the service's stream on, once it was heeded.
   * @param {Stream} stream
   * @param {string} type
   * @param {(detail: any) => void} heed
   */
  #follow(stream, type, heed) {
    stream.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      heed(detail);
      this.#shared.tell(type, detail);
    });
  }
}
