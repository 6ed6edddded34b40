// A stream: chunks in, predictions out in order and exactly once, over as many connections as it
// takes.

import { flat } from "./chunk.js";
import { StreamClosed } from "./errors.js";
import { Framer, mostSteps } from "./framer.js";
import { width } from "./messages.js";
import { Pump } from "./pump.js";

/** @typedef {import("./chunk.js").Steps} Steps */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./messages.js").Prediction} Prediction */
/** @typedef {import("./service.js").Service} Service */
/** @typedef {import("./stream_options.js").StreamOptions} StreamOptions */

/**
 * Made by `Client.stream`. Where it fails for good, its error is thrown by every call, after the
 * predictions that had come.
 *
 * Dispatches `opened` for each connection that reached the stream, whose `detail` is what the
 * service said and how many steps go for the `first` time and `again`; and `lost`, whose `detail`
 * has the `reason` and the `delay` in milliseconds before the next attempt.
 */
export class Stream extends EventTarget {
  #pump;
  /** @type {Framer | undefined} */ #framer;

  /**
   * @param {Service} service
   * @param {StreamOptions} options
   */
  constructor(service, options) {
    super();
    /** @param {string} type */
    const tell = (type) => (/** @type {unknown} */ detail) => {
      this.dispatchEvent(new CustomEvent(type, { detail }));
    };
    this.#pump = new Pump(service, options, { opened: tell("opened"), lost: tell("lost") });
    this.#pump.run();
  }

  /** Until the service has opened or resumed the stream. */
  async ready() {
    await this.#pump.until(() => this.#pump.opened !== undefined);
    return this;
  }

  /** @returns {Opened} what the service said when this client last connected to the stream */
  get opened() {
    if (!this.#pump.opened) throw new StreamClosed("the stream is not open yet; await ready()");
    return this.#pump.opened;
  }

  /** Whether the service has opened it. */
  get isOpen() {
    return this.#pump.opened !== undefined;
  }

  /** Whoever has it, and the key that opened it, can resume the stream. */
  get id() {
    return this.opened.stream;
  }

  /** Steps sent, over the stream's whole life. */
  get position() {
    return this.#pump.journal.end;
  }

  /** Steps whose answers have come. */
  get answered() {
    return this.#pump.journal.answered;
  }

  /** Steps whose predictions `receive` has given: `position` for who resumes the stream. */
  get read() {
    return this.#pump.journal.read;
  }

  /** Steps that the service's store holds, as far as this client was told. */
  get durable() {
    return this.#pump.journal.durable;
  }

  /** Steps held back: not read, or not durable. */
  get held() {
    return this.#pump.journal.held;
  }

  /** Chunks whose predictions `receive` has not given yet. */
  get unread() {
    return this.#pump.unread;
  }

  /**
   * Take the next steps to be sent; their end in the stream. Waits for nothing, not even for a
   * connection. Throws BadInput, BufferFull, StreamClosed, and what ended the stream.
   * @param {Steps} steps
   */
  send(steps) {
    const { data } = flat(steps, width(this.opened));
    this.#checkOpen();
    return this.#pump.send(data);
  }

  /**
   * Take samples, any number of them, and send the whole steps that they make, in chunks of no more
   * than the service takes; the rest waits for the next ones. int16 samples are scaled as the model
   * says. The end in the stream of what went, or undefined where they made no step. Throws as `send`
   * does, and has then taken none of these samples.
   * @param {Float32Array | Int16Array} samples
   */
  feed(samples) {
    const wide = width(this.opened);
    this.#framer ??= new Framer(wide, this.opened.input?.frame?.int16_scale);
    const { steps, rest } = this.#framer.cut(samples);
    this.#checkOpen();
    const end = steps.length ? this.#pump.send(steps, mostSteps(wide)) : undefined;
    this.#framer.keep(rest);
    return end;
  }

  /** Samples that were fed and make no step yet. */
  get left() {
    return this.#framer?.rest ?? 0;
  }

  /**
   * Fill the step that `feed` has begun with zeros, and send it; how many zeros, 0 where none is
   * begun. `end` does not do it: what makes no step was never heard. Throws as `send` does.
   */
  finish() {
    const { left } = this;
    if (!left) return 0;
    const missing = width(this.opened) - left;
    this.feed(new Float32Array(missing));
    return missing;
  }

  /** The next prediction, one for each chunk. Throws StreamClosed after the last one. */
  async receive() {
    await this.#pump.until(() => this.#pump.predictions.length > 0);
    return /** @type {Prediction} */ (this.#pump.take());
  }

  /** Predictions until the stream is ended or closed. */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) yield await this.receive();
    } catch (error) {
      if (!(error instanceof StreamClosed)) throw error;
    }
  }

  /**
   * One prediction for each chunk; at most `ahead` chunks are sent before their answers.
   * @param {Iterable<Steps> | AsyncIterable<Steps>} chunks
   * @param {{ahead?: number}} [options]
   */
  async *predict(chunks, { ahead = 1 } = {}) {
    for await (const chunk of chunks) {
      this.send(chunk);
      while (this.unread >= ahead) yield await this.receive();
    }
    while (this.unread) yield await this.receive();
  }

  /** End the stream once all is answered; its last position. The service forgets its state. */
  async end() {
    this.#pump.end();
    await this.#pump.until(() => this.#pump.ended !== undefined);
    return /** @type {number} */ (this.#pump.ended);
  }

  /** Drop the connection and let the stream live: resume it by its id. */
  close() {
    this.#pump.close();
  }

  /** Drop the connection and stay away until `reconnect`; what is sent meanwhile waits here. */
  disconnect() {
    this.#pump.disconnect();
  }

  /** Connect now: after `disconnect`, or where the next attempt would come later. */
  reconnect() {
    this.#pump.reconnect();
  }

  #checkOpen() {
    this.#pump.check();
    if (this.#pump.ending) throw new StreamClosed("the stream is ended; open another one");
  }
}
