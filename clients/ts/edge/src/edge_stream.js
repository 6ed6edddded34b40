// A stream that runs at the service, and here while the service cannot be reached.

import { BufferFull, Chunk, flat, Moved, onWake, StreamClosed, Unreachable } from "@larnn/client";

import { Handover } from "./handover.js";
import { Inbox } from "./inbox.js";
import { complete, isAway, isNotReached } from "./options.js";
import { Past } from "./past.js";
import { predictionOf } from "./prediction.js";

/** @typedef {import("@larnn/client").Client} Client */
/** @typedef {import("@larnn/client").Steps} Steps */
/** @typedef {import("@larnn/client").Stream} Stream */
/** @typedef {import("./inbox.js").EdgePrediction} EdgePrediction */
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
  #client;
  #model;
  #options;
  /** @type {Stream | undefined} */ #service;
  #past;
  #handover;
  /** @type {Map<number, number>} */ #takenAt = new Map();
  #durable = 0;
  /** @type {Promise<number | undefined> | undefined} */ #told;
  #reachable = false;
  #away = false;
  #ending = false;
  #ghost = false; // an attempt that was given up here may still reach the service
  #inbox = new Inbox();
  /** Steps sent, over the stream's whole life. */
  position = 0;
  /** Whether it runs here now. */
  edge = false;

  /**
   * @param {Client} client
   * @param {EdgeModel} model
   * @param {EdgeOptions} [options]
   */
  constructor(client, model, options = {}) {
    super();
    this.#client = client;
    this.#model = model;
    this.#options = complete(options);
    this.#past = new Past(model.initial(), this.#options.snapshotSteps);
    this.#handover = new Handover(client, model);
    this.#run();
  }

  /** Steps whose answers have come. */
  get answered() {
    return this.#inbox.answered;
  }

  /** Steps that the service's store holds, as far as it told. */
  get durable() {
    return this.#durable;
  }

  /** Steps held back: they are not read, or came after the state from which to go on here. */
  get held() {
    return this.position - Math.min(this.#past.state.position, this.#inbox.read);
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
    this.#inbox.check();
    if (this.#ending) throw new StreamClosed("the stream is ended; open another one");
    const { data, width } = flat(steps, this.#model.width);
    const chunk = new Chunk(this.position, data, width);
    if (this.held + chunk.length > this.#options.maxBufferedSteps) {
      throw new BufferFull(this.#past.fullOf(this.held));
    }
    this.#past.append(chunk);
    this.#takenAt.set(chunk.end, performance.now());
    this.position = chunk.end;
    this.#inbox.unread += 1;
    this.#pass();
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
    this.#ending = true;
    this.#pass();
    this.#inbox.news.tell();
    return this.#inbox.end();
  }

  /** Let go of it: the stream lives on at the service, where that has it. */
  close() {
    this.#inbox.fail(new StreamClosed("the stream was closed here"));
    this.#service?.close();
  }

  /** Drop the connection, go on here, and stay away until `reconnect`. */
  disconnect() {
    this.#away = true;
    this.#service?.close();
    this.#inbox.news.tell();
  }

  /** Go back to the service, as soon as it answers. */
  reconnect() {
    this.#away = false;
    this.#inbox.news.tell();
  }

  async #run() {
    const stop = onWake(() => this.edge && this.#ask().catch(() => {})); // also where one is asked
    try {
      while (this.#inbox.ended === undefined && !this.#inbox.failure) {
        if (!this.#away) await this.#atService();
        if (this.#inbox.ended === undefined && !this.#inbox.failure) await this.#here();
      }
    } catch (error) {
      this.#inbox.fail(error);
    }
    stop();
    this.#inbox.news.tell();
  }

  /** Until the stream has ended, or its service is not there. */
  async #atService() {
    const { patience, snapshotSteps, maxBufferedSteps, ...wish } = this.#options;
    const { name: model, version } = this.#model;
    const { id } = this.#handover;
    const which = id ? { resume: id, position: this.answered } : { model, version };
    const service = this.#client.connect({ ...wish, ...which, maxBufferedSteps: Infinity });
    const leave = () => service.close();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer = setTimeout(leave, patience);
    let connected = false;
    this.#follow(service, "opened", ({ stream }) => {
      connected = true;
      clearTimeout(timer);
      timer = undefined;
      this.#handover.id = stream;
      this.#pass();
    });
    this.#follow(service, "lost", () => {
      connected = false;
      timer ??= setTimeout(leave, patience);
    });
    this.#service = service;
    this.#told = undefined;
    try {
      for await (const prediction of service) this.#take({ ...prediction, edge: false });
      this.#ghost ||= !connected;
      this.#inbox.ended = await this.#told;
    } catch (error) {
      const mine = error instanceof Moved && this.#ghost;
      if (!mine && !isAway(error)) throw error;
      this.#ghost = !mine && (this.#ghost || (error instanceof Unreachable && !connected));
    } finally {
      clearTimeout(timer);
      this.#service = undefined;
    }
  }

  /** Give the service what it has not got; and the end, where all is given. */
  #pass() {
    const service = this.#service;
    if (!service?.isOpen) return;
    try {
      for (const chunk of this.#past.chunks) {
        if (chunk.end > service.position) service.send(chunk.from(service.position).data);
      }
      if (this.#ending) this.#told ??= service.end().catch(() => undefined);
    } catch {
      // whoever reads its predictions is told why
    }
  }

  /** @param {EdgePrediction} prediction */
  #take(prediction) {
    const { position, durable, edge } = prediction;
    if (position <= this.answered) return;
    this.#durable = Math.max(this.#durable, durable);
    this.#takenAt.delete(position);
    this.#inbox.put(prediction);
    const { id } = this.#handover;
    if (!edge && id) this.#past.refresh(this.#client, id, position);
  }

  /** Run the stream here until the service has it again. */
  async #here() {
    this.edge = true;
    this.#reachable = false;
    this.#past.forget();
    this.#tell("edge", { position: this.answered });
    this.#probe();
    while (!this.#inbox.failure) {
      const caughtUp = this.#past.state.position >= this.answered;
      if (caughtUp && this.#reachable && !this.#away) {
        if (await this.#return()) break;
        continue;
      }
      const chunk = this.#past.next();
      if (chunk) await this.#step(chunk);
      else await this.#inbox.news.next();
    }
    this.edge = false;
    this.#inbox.news.tell(); // `probe` has nothing to ask any more
  }

  /** @param {Chunk} chunk the next steps */
  async #step(chunk) {
    const { state, outputs } = await this.#model.advance(this.#past.state, chunk.data);
    if (chunk.end > this.answered) {
      const latency = performance.now() - (this.#takenAt.get(chunk.end) ?? NaN);
      const answer = predictionOf(this.#model.outputs, outputs, chunk, this.#options);
      this.#take({ ...answer, durable: this.#durable, latency, edge: true });
    }
    this.#past.keep(state);
  }

  /** Whether the service has taken the state of here. */
  async #return() {
    const { state } = this.#past;
    try {
      if (!(await this.#handover.give(state))) return false;
    } catch (error) {
      if (!isNotReached(error)) throw error;
      this.#reachable = false;
      return false;
    }
    this.#durable = state.position;
    this.#tell("returned", { position: state.position });
    return true;
  }

  /** While the stream runs here: ask whether the service answers. */
  async #probe() {
    while (this.edge && !this.#inbox.failure) {
      try {
        if (this.#away || this.#reachable) await this.#inbox.news.next();
        else await this.#ask();
      } catch (error) {
        if (!isNotReached(error)) return this.#inbox.fail(error);
        await this.#inbox.news.next(this.#options.patience);
      }
    }
  }

  async #ask() {
    await this.#client.models();
    this.#reachable = !this.#away;
    this.#inbox.news.tell();
  }

  /**
   * Tell an event of the service's stream on, once it was heeded.
   * @param {Stream} service
   * @param {string} type
   * @param {(detail: any) => void} heed
   */
  #follow(service, type, heed) {
    service.addEventListener(type, (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      heed(detail);
      this.#tell(type, detail);
    });
  }

  #tell(/** @type {string} */ type, /** @type {unknown} */ detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
