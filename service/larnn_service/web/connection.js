// How the stream stands: connected or not, what is counted, durable and held back, and its log.

import { element, milliseconds, steps } from "./words.js";

const MOST_LINES = 40;
const STATES = {
  idle: "Not connected",
  connecting: "Connecting …",
  connected: "Connected",
  cut: "Connection cut",
  lost: "Connection lost, trying again …",
  ended: "Stream ended",
  failed: "Stopped",
};

export class ConnectionView {
  #pill = document.querySelector("#connection");
  #facts = Object.fromEntries(
    ["position", "durable", "held", "latency", "survives", "stream"].map((name) => [
      name,
      document.querySelector(`#${name}`),
    ]),
  );
  #log = document.querySelector("#log");
  #latency = null;
  #opened = false;
  #position = 0;

  state(name) {
    this.#pill.textContent = STATES[name];
    this.#pill.dataset.state = name;
  }

  begin() {
    this.#latency = null;
    this.#opened = false;
    this.#position = 0;
    for (const fact of Object.values(this.#facts)) fact.textContent = "–";
    this.#log.replaceChildren();
    this.state("connecting");
  }

  /** A connection has reached the stream: the first one, or another. */
  opened({ stream, survives, model, version, position, first, again }) {
    this.#facts.stream.textContent = `${stream.slice(0, 10)}…`;
    this.#facts.survives.textContent = survives;
    if (this.#opened) {
      const waited = `${steps(first)} had waited here, ${steps(again)} go again`;
      this.say(`Resumed at step ${position.toLocaleString("en")}: ${waited}. None counts twice.`);
    } else {
      this.say(`Stream opened on ${model}, version ${version}.`);
    }
    this.#opened = true;
    this.state("connected");
  }

  cut() {
    this.say(`You cut the connection at step ${this.#position.toLocaleString("en")}.`);
    this.state("cut");
  }

  /** Says so once, however many attempts follow. */
  lost(reason) {
    if (this.#pill.dataset.state !== "lost") {
      this.say(`Lost at step ${this.#position.toLocaleString("en")}: ${reason}.`);
    }
    this.state("lost");
  }

  /** Numbers that move with every chunk. */
  counts({ answered, durable, held }, latency) {
    this.#position = answered;
    this.#facts.position.textContent = answered.toLocaleString("en");
    this.#facts.durable.textContent = durable.toLocaleString("en");
    this.#facts.held.textContent = held.toLocaleString("en");
    if (latency === undefined) return;
    this.#latency = this.#latency === null ? latency : 0.8 * this.#latency + 0.2 * latency;
    this.#facts.latency.textContent = milliseconds(this.#latency);
  }

  say(text) {
    this.#log.append(element("p", { text }));
    if (this.#log.children.length > MOST_LINES) this.#log.firstChild.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
