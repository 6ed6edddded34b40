// A stream that runs at the service, and here while the service cannot be reached.

import { BufferFull, Chunk, flat, onWake, StreamClosed } from "@larnn/client";

import { AtService } from "./at_service.js";
import { Here } from "./here.js";
import { Shared } from "./shared.js";

/** @typedef {import("@larnn/client").Client} Client */
/** @typedef {import("@larnn/client").Steps} Steps */
/** @typedef {import("./model.js").EdgeModel} EdgeModel */
/** @typedef {import("./options.js").EdgeOptions} EdgeOptions */

/**
 * Every step is answered once, wherever it is run. At the service the state is fetched now and then
 * (`GET /streams/ID/state`). Without a connection the stream goes on here, from that state, over the
 * steps since then; those that were answered are not answered again. When the service is back it
 * gets the state of here (`PUT`), and the next steps.
 *
 * Dispatches `opened` and `lost` as a stream does, `edge` when it goes on here and `returned` when
 * the service has it again; their `detail` has the `position`.
 */
export class EdgeStream extends EventTarget {
  #shared;
  #inbox;
  #atService;
  #here;
  /** Steps sent, over the stream's whole life. */
  position = 0;

  /**
   * @param {Client} client
   * @param {EdgeModel} model
   * @param {EdgeOptions} [options]
   */
  constructor(client, model, options = {}) {
    super();
    this.#shared = new Shared(client, model, options, (type, detail) =>
      this.dispatchEvent(new CustomEvent(type, { detail })),
    );
    this.#inbox = this.#shared.inbox;
    this.#atService = new AtService(this.#shared);
    this.#here = new Here(this.#shared);
    this.#run();
  }

  /** Whether it runs here now. */
  get edge() {
    return this.#here.running;
  }

  /** Steps whose answers have come. */
  get answered() {
    return this.#inbox.answered;
  }

  /** Steps that the service's store holds, as far as it told. */
  get durable() {
    return this.#inbox.durable;
  }

  /** Steps held back: they are not read, or came after the state from which to go on here. */
  get held() {
    return this.position - Math.min(this.#shared.past.state.position, this.#inbox.read);
  }

  /** Chunks whose predictions `receive` has not given yet. */
  get unread() {
    return this.#inbox.unread;
  }

  /**
   * As of a stream: take the next steps, and wait for nothing; their end in the stream.
   * @param {Steps} steps
   */
  send(steps) {
    const { model, options, past } = this.#shared;
    this.#inbox.check();
    if (this.#shared.ending) throw new StreamClosed("the stream is ended; open another one");
    const { data, width } = flat(steps, model.width);
    const chunk = new Chunk(this.position, data, width);
    if (this.held + chunk.length > options.maxBufferedSteps) {
      throw new BufferFull(past.fullOf(this.held));
    }
    past.append(chunk);
    this.position = chunk.end;
    this.#inbox.expect(chunk.end);
    this.#atService.pass();
    this.#inbox.news.tell();
    return this.position;
  }

  /** The next prediction, one for each chunk. Throws StreamClosed after the last one. */
  receive() {
    return this.#inbox.receive();
  }

  /** Predictions until the stream is ended or closed. */
  [Symbol.asyncIterator]() {
    return this.#inbox[Symbol.asyncIterator]();
  }

  /** End the stream once all is answered and the service is told; its last position. */
  end() {
    this.#shared.ending = true;
    this.#atService.pass();
    this.#inbox.news.tell();
    return this.#inbox.end();
  }

  /** Let go of it: the stream lives on at the service, where that has it. */
  close() {
    this.#inbox.fail(new StreamClosed("the stream was closed here"));
    this.#atService.close();
  }

  /** Drop the connection, go on here, and stay away until `reconnect`. */
  disconnect() {
    this.#shared.away = true;
    this.#atService.close();
    this.#inbox.news.tell();
  }

  /** Go back to the service, as soon as it answers. */
  reconnect() {
    this.#shared.away = false;
    this.#inbox.news.tell();
  }

  async #run() {
    const stop = onWake(() => this.edge && this.#here.ask().catch(() => {})); // asked there, too
    try {
      while (!this.#shared.isOver) {
        if (!this.#shared.away) await this.#atService.run();
        if (!this.#shared.isOver) await this.#here.run();
      }
    } catch (error) {
      this.#inbox.fail(error);
    }
    stop();
    this.#inbox.news.tell();
  }
}
