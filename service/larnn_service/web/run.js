// One press of Start: from a source to a stream, and what comes back.

import { BufferFull } from "@larnn/client";

import { isUnlike, names, novelty, numbers } from "./answer.js";
import { MotionSignal } from "./motion.js";
import { service } from "./service.js";
import { SoundSignal, takesSound } from "./sound.js";
import { Phone } from "./sources.js";

/** Ends when the recording does, when something fails, or by `stop`. */
export class Run {
  #model;
  #source;
  #views;
  #over;
  #signal;
  #said = [];
  #stopped = false;

  /** `over` is told a state of the connection and why, when the run ends by itself. */
  constructor(model, source, speed, views, over) {
    this.#model = model;
    this.#source = source;
    this.#views = views;
    this.#over = over;
    this.away = false;
    const { name, explains: explain } = model;
    const [Signal, binary] = takesSound(model) ? [SoundSignal, !explain] : [MotionSignal, false];
    const outputs = [novelty(model)?.name ?? []].flat();
    this.stream = service().connect({ model: name, explain, binary, outputs });
    this.#signal = new Signal(model, this.stream, views);
    this.#listen();
    this.stream.addEventListener("opened", () => this.#start(speed), { once: true });
    this.#read();
  }

  async #start(speed) {
    if (this.#stopped) return;
    try {
      await this.#source.start((taken) => this.#take(taken), () => this.#dry(), speed);
    } catch (error) {
      this.#fail(error); // no microphone, or a person who keeps it
    }
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
    const did = this.#source.activities.map(([label, ...range]) => [
      label,
      ...range.map((step) => this.#seconds(step)),
    ]);
    const said = this.#said.filter(([label]) => label !== null);
    return [did, said].map((row) =>
      row.map(([label, ...range]) => [this.#model.labels.indexOf(label), ...range]),
    );
  }

  #seconds(step) {
    return step / this.#signal.rate;
  }

  #take(taken) {
    if (this.#stopped) return;
    this.#sent(() => this.#signal.take(taken));
    this.#views.probabilities.moveTo(this.#signal.seconds);
  }

  #sent(send) {
    try {
      if (send()) this.#views.connection.counts(this.stream);
    } catch (error) {
      if (!(error instanceof BufferFull)) throw error;
      this.#fail(error);
    }
  }

  #fail({ detail, message }) {
    this.stop();
    this.#over("failed", `Stopped: ${detail ?? message}.`);
  }

  /** The recording is over, or the phone says nothing. */
  #dry() {
    if (this.#source instanceof Phone) {
      this.stop();
      return this.#over("failed", "This phone’s sensors say nothing to this browser.");
    }
    this.#sent(() => this.#signal.finish());
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
      this.#fail(error);
    }
  }

  /** The label, or null for none, holds since the last one ended, or goes on. */
  #say(label, until) {
    const last = this.#said.at(-1);
    if (last?.[0] === label) last[2] = until;
    else this.#said.push([label, last?.[2] ?? 0, until]);
  }

  #predicted(prediction) {
    const { position, label } = prediction;
    const seconds = this.#seconds(position);
    if (label) this.#say(isUnlike(this.#model, prediction) ? null : label, seconds);
    this.#views.probabilities.push(
      seconds,
      names(this.#model).map((name) => numbers(prediction)[name]),
    );
    this.#views.answer.show(prediction, this.#source.activity(position - 1));
    this.#views.memory.show(prediction.attention);
    this.#views.connection.counts(this.stream, prediction.latency);
  }
}
