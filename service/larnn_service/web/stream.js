// One stream of the service, held over one websocket after the other: docs/protocol.md in JavaScript.

import { Journal } from "./journal.js";

const FIRST_WAIT = 100; // milliseconds
const LONGEST_WAIT = 3000;
const MAX_IN_FLIGHT = 16;
const TRANSIENT = new Set(["full", "unavailable", "backpressure", "draining", "internal", "gap"]);

/**
 * Dispatches `opened`, `resumed`, `prediction`, `cut`, `lost`, `ended` and `failed`; `detail` has more.
 * Every step given to `send` is counted once, whatever becomes of the connections.
 */
export class LiveStream extends EventTarget {
  #address;
  #protocols;
  #socket = null;
  #talking = false;
  #journal = new Journal(0);
  #sentAt = new Map();
  #attempts = 0;
  #retry = 0;
  #cut = false;
  #ending = false;
  #over = false;

  /** `address`: of WS /stream, with its query; `key`: of the service, or null. */
  constructor(address, key) {
    super();
    this.#address = address;
    this.#protocols = ["larnn.json.v1", ...(key ? [`larnn.key.${key}`] : [])];
    this.opened = null;
    this.#connect();
  }

  get position() {
    return this.#journal.answered;
  }

  get durable() {
    return this.#journal.durable;
  }

  get held() {
    return this.#journal.held;
  }

  /** Send steps [steps][channels], now or when there is a connection. Throws BufferFull. */
  send(steps) {
    this.#journal.append(steps);
    this.#pump();
  }

  /** No more steps will come: end the stream when all are answered. */
  end() {
    this.#ending = true;
    this.#pump();
  }

  /** Break the connection, and stay away until `mend`. */
  cut() {
    this.#cut = true;
    this.#drop();
    this.#tell("cut");
  }

  /** Connect again, and go on where it broke. */
  mend() {
    this.#cut = false;
    this.#attempts = 0;
    this.#connect();
  }

  /** Leave the stream as it is. */
  close() {
    this.#over = true;
    this.#drop();
  }

  #connect() {
    const url = new URL(this.#address);
    if (this.opened) url.searchParams.set("stream", this.opened.stream);
    const socket = new WebSocket(url, this.#protocols);
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => this.#lose("the connection broke");
    this.#socket = socket;
  }

  #drop() {
    clearTimeout(this.#retry);
    this.#talking = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #lose(reason) {
    this.#drop();
    if (this.#over || this.#cut) return;
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
    this.#tell("lost", { reason, attempts: this.#attempts });
  }

  #receive(message) {
    try {
      if (message.type === "opened") this.#begin(message);
      else if (message.type === "prediction") this.#settle(message);
      else if (message.type === "ended") this.#finish("ended", message);
      else this.#refused(message);
    } catch (error) {
      this.#finish("failed", { code: error.constructor.name, detail: error.message });
    }
  }

  #begin(opened) {
    const first = this.opened === null;
    const sends = this.#journal.resume(opened.position);
    this.opened = opened;
    this.#talking = true; // not before: where to begin is what `opened` says
    this.#sentAt.clear();
    this.#tell(first ? "opened" : "resumed", { ...opened, sends });
    this.#pump();
  }

  #settle(prediction) {
    this.#attempts = 0;
    const news = this.#journal.settle(prediction.position, prediction.durable);
    const latency = performance.now() - this.#sentAt.get(prediction.position);
    this.#sentAt.delete(prediction.position);
    if (news) this.#tell("prediction", { ...prediction, latency });
    this.#pump();
  }

  #refused({ code, detail }) {
    const forgets = code === "draining" && this.opened?.survives === "connection";
    if (TRANSIENT.has(code) && !forgets) return this.#lose(detail);
    const gone = forgets ? "it is shutting down, and keeps streams in its memory alone" : detail;
    this.#finish("failed", { code, detail: gone });
  }

  #pump() {
    if (!this.#talking || this.#socket.readyState !== WebSocket.OPEN) return;
    for (let chunk; (chunk = this.#journal.next(MAX_IN_FLIGHT)); ) {
      const acked = Math.min(this.#journal.answered, chunk.offset);
      this.#sentAt.set(chunk.offset + chunk.steps.length, performance.now());
      this.#socket.send(JSON.stringify({ type: "chunk", ...chunk, acked }));
    }
    if (this.#ending && this.#journal.settled) this.#socket.send('{"type": "end"}');
  }

  #finish(type, detail) {
    this.close();
    this.#tell(type, detail);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
