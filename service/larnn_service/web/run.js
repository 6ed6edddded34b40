// One press of Start: a source's readings, prepared, on their way to a stream, and what comes back.

import { BufferFull } from "@larnn/client";

import { names, numbers } from "./answer.js";
import { service } from "./service.js";
import { CHANNELS, Preparation } from "./signal.js";
import { Phone } from "./sources.js";

export const RATE = 50;
const CHUNK = 5; // steps: ten answers a second

/** Ends when the recording does, when something fails, or by `stop`. */
export class Run {
  #model;
  #source;
  #views;
  #over;
  #preparation = new Preparation();
  #select;
  #said = [];
  #steps = 0;
  #chunk = [];
  #stopped = false;

  /** `over` is told a state of the connection and why, when the run ends by itself. */
  constructor(model, source, speed, views, over) {
    this.#model = model;
    this.#source = source;
    this.#views = views;
    this.#over = over;
    this.#select = model.channels.map(({ name }) => CHANNELS.indexOf(name));
    this.away = false;
    this.stream = service().connect({ model: model.name, explain: model.explains });
    this.#listen();
    const take = (reading) => this.#take(reading);
    const start = () => this.#stopped || source.start(take, () => this.#dry(), speed);
    this.stream.addEventListener("opened", start, { once: true });
    this.#read();
  }

  stop() {
    this.#stopped = true;
    this.#source.stop();
    this.stream.close();
  }

  cut() {
    this.stream.disconnect();
    this.#views.connection.cut();
  }

  /** What the person did, and what the network said: rows of [label, first, last] in seconds. */
  bands() {
    const did = this.#source.activities.map(([label, ...range]) => [label, ...range.map(seconds)]);
    return [did, this.#said].map((row) =>
      row.map(([label, ...range]) => [this.#model.labels.indexOf(label), ...range]),
    );
  }

  #take(reading) {
    if (this.#stopped) return;
    const step = this.#preparation.push(reading);
    this.#steps += 1;
    this.#views.acceleration.push(seconds(this.#steps), step.slice(6, 9));
    this.#views.rotation.push(seconds(this.#steps), step.slice(3, 6));
    this.#views.probabilities.moveTo(seconds(this.#steps));
    this.#chunk.push(this.#select.map((channel) => Number(step[channel].toFixed(6))));
    if (this.#chunk.length === CHUNK) this.#send();
  }

  #send() {
    try {
      if (this.#chunk.length) this.stream.send(this.#chunk);
    } catch (error) {
      if (!(error instanceof BufferFull)) throw error;
      this.stop();
      this.#over("failed", `Stopped: ${error.message}.`);
    }
    this.#chunk = [];
    this.#views.connection.counts(this.stream);
  }

  /** The recording is over, or the phone says nothing. */
  #dry() {
    if (this.#source instanceof Phone) {
      this.stop();
      return this.#over("failed", "This phone’s sensors say nothing to this browser.");
    }
    this.#send();
    this.stream.end().catch(() => {}); // whoever reads is told
  }

  #listen() {
    const { connection } = this.#views;
    const on = (type, listener) =>
      this.stream.addEventListener(type, ({ detail }) => listener(detail));
    on("opened", (opened) => connection.opened(opened));
    on("lost", ({ reason }) => connection.lost(reason));
  }

  /** The predictions, until the stream has ended or failed. */
  async #read() {
    try {
      for await (const prediction of this.stream) this.#predicted(prediction);
      if (!this.#stopped) this.#over("ended", `Ended at step ${this.stream.position}.`);
    } catch (error) {
      this.stop();
      this.#over("failed", `Stopped: ${error.detail ?? error.message}.`);
    }
  }

  /** The label holds since the last one ended, or goes on. */
  #say(label, until) {
    const last = this.#said.at(-1);
    if (last?.[0] === label) last[2] = until;
    else this.#said.push([label, last?.[2] ?? 0, until]);
  }

  #predicted(prediction) {
    const { position, label } = prediction;
    if (label) this.#say(label, seconds(position));
    this.#views.probabilities.push(
      seconds(position),
      names(this.#model).map((name) => numbers(prediction)[name]),
    );
    this.#views.answer.show(prediction, this.#source.activity(position - 1));
    this.#views.memory.show(prediction.attention);
    this.#views.connection.counts(this.stream, prediction.latency);
  }
}

export function seconds(step) {
  return step / RATE;
}
