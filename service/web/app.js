// The live page: what the person chooses, a source's readings on their way, and the views.

import { AnswerView } from "./answer.js";
import { Chart } from "./charts.js";
import { ConnectionView } from "./connection.js";
import { BufferFull } from "./journal.js";
import { MemoryView } from "./memory.js";
import { keep, key, KeyWanted, models, streamAddress } from "./service.js";
import { CHANNELS, Preparation } from "./signal.js";
import { Phone, Recording } from "./sources.js";
import { LiveStream } from "./stream.js";
import { element } from "./words.js";

const RATE = 50;
const CHUNK = 5; // steps: ten answers a second
const $ = (id) => document.getElementById(id);

const answer = new AnswerView();
const connection = new ConnectionView();
const memory = new MemoryView();
let model = null;
let recordings = null;
let run = null;

const acceleration = new Chart($("acceleration"), { lines: 3, unit: " g" });
const rotation = new Chart($("rotation"), { lines: 3 });
let probabilities = null;

/** One press of Start: a source, the preparation of its readings, a stream. */
class Run {
  constructor(source, speed) {
    this.source = source;
    this.said = [];
    this.away = false;
    this.preparation = new Preparation();
    this.select = model.channels.map(({ name }) => CHANNELS.indexOf(name));
    this.steps = 0;
    this.chunk = [];
    this.stream = new LiveStream(streamAddress(model), key());
    this.#listen();
    source.start((reading) => this.#take(reading), () => this.#dry(), speed);
  }

  stop() {
    this.source.stop();
    this.stream.close();
  }

  /** What the person did, and what the network said: rows of [label, first, last] in seconds. */
  bands() {
    const did = this.source.activities.map(([label, ...range]) => [label, ...range.map(seconds)]);
    return [did, this.said].map((row) =>
      row.map(([label, ...range]) => [model.labels.indexOf(label), ...range]),
    );
  }

  #take(reading) {
    const step = this.preparation.push(reading);
    this.steps += 1;
    acceleration.push(seconds(this.steps), step.slice(6, 9));
    rotation.push(seconds(this.steps), step.slice(3, 6));
    probabilities.moveTo(seconds(this.steps));
    this.chunk.push(this.select.map((channel) => Number(step[channel].toFixed(6))));
    if (this.chunk.length === CHUNK) this.#send();
  }

  #send() {
    try {
      if (this.chunk.length) this.stream.send(this.chunk);
    } catch (error) {
      if (!(error instanceof BufferFull)) throw error;
      this.stop();
      finished("failed", `Stopped: ${error.message}.`);
    }
    this.chunk = [];
    connection.counts(this.stream);
  }

  /** The recording is over, or the phone says nothing. */
  #dry() {
    if (this.source instanceof Phone) {
      this.stop();
      return finished("failed", "This phone’s sensors say nothing to this browser.");
    }
    this.#send();
    this.stream.end();
  }

  #listen() {
    const on = (type, listener) =>
      this.stream.addEventListener(type, ({ detail }) => listener(detail));
    on("opened", (opened) => {
      connection.opened(opened);
      $("cut").disabled = false;
    });
    on("resumed", (resumed) => connection.resumed(resumed));
    on("prediction", (prediction) => this.#predicted(prediction));
    on("lost", ({ reason, attempts }) => {
      if (reason === "cut") connection.say(`You cut the connection at step ${this.stream.position}.`);
      else if (attempts === 1) connection.say(`Lost at step ${this.stream.position}: ${reason}.`);
      connection.state(reason === "cut" ? "cut" : "lost");
    });
    on("ended", ({ position }) => finished("ended", `Ended at step ${position}.`));
    on("failed", ({ detail }) => {
      this.source.stop();
      finished("failed", `Stopped: ${detail}.`);
    });
  }

  #predicted(prediction) {
    const { position, label } = prediction;
    const last = this.said.at(-1);
    if (last?.[0] === label) last[2] = seconds(position);
    else this.said.push([label, last?.[2] ?? 0, seconds(position)]);
    probabilities.push(
      seconds(position),
      model.labels.map((name) => prediction.probabilities[name]),
    );
    answer.show(prediction, this.source.activity(position - 1));
    memory.show(prediction.attention);
    connection.counts(this.stream, prediction.latency);
  }
}

function seconds(step) {
  return step / RATE;
}

async function start() {
  $("problem").textContent = "";
  try {
    const source = await chosenSource();
    run?.stop();
    begin();
    run = new Run(source, Number($("speed").value));
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

async function chosenSource() {
  const name = document.querySelector("input[name=source]:checked").value;
  if (name !== "phone") {
    return Recording.load(recordings.recordings.find((entry) => entry.name === name), recordings);
  }
  const missing = Phone.missing();
  if (missing) throw new Error(missing);
  await Phone.allow();
  return new Phone($("worn").value === "upright");
}

function begin() {
  answer.begin(model.labels);
  memory.clear();
  connection.begin();
  [acceleration, rotation, probabilities].forEach((chart) => chart.clear());
  $("start").textContent = "Stop";
  $("start").dataset.running = "true";
}

/** The stream is over: by itself, or because something went wrong. */
function finished(state, text) {
  connection.say(text);
  connection.state(state);
  delete $("start").dataset.running;
  $("start").textContent = "Start";
  $("cut").disabled = true;
  $("cut").textContent = "Cut the connection";
  run = null;
}

function stop() {
  run.stop();
  finished("idle", "You stopped it.");
}

function cutOrMend() {
  run.away = !run.away;
  $("cut").textContent = run.away ? "Connect again" : "Cut the connection";
  if (run.away) run.stream.cut();
  else run.stream.mend();
}

/** The models whose channels this page can make of a phone's readings. */
function offer({ default: preferred, models: served }) {
  const fitting = served.filter(({ channels, sample_rate_hz: rate }) =>
    rate === RATE && channels.every(({ name }) => CHANNELS.includes(name)),
  );
  if (!fitting.length) {
    throw new Error("No model here takes a phone’s signals; this page shows those that do.");
  }
  $("model").replaceChildren(...fitting.map(({ name }) => element("option", { text: name })));
  $("model").parentElement.hidden = fitting.length === 1;
  const choose = (name) => {
    model = fitting.find((one) => one.name === name) ?? fitting[0];
    probabilities ??= new Chart($("probabilities"), {
      lines: model.labels.length,
      range: [0, 1],
      fill: true,
      bands: () => run?.bands() ?? [],
    });
    answer.begin(model.labels);
    $("label").textContent = "Press start";
  };
  $("model").onchange = () => choose($("model").value);
  choose(preferred);
}

async function enter() {
  try {
    offer(await models());
    recordings ??= await (await fetch("web/recordings/index.json")).json();
    const choices = recordings.recordings.map(({ name, title }) => sourceChoice(name, title));
    $("recordings").replaceChildren(...choices);
    choices[0].querySelector("input").checked = true;
    $("key-form").hidden = true;
    $("start").disabled = false;
  } catch (error) {
    $("key-form").hidden = !(error instanceof KeyWanted);
    $("problem").textContent = error.message;
  }
}

function sourceChoice(value, title) {
  const input = element("input", { type: "radio", name: "source", value });
  return element("label", { className: "choice" }, input, element("span", { text: title }));
}

$("start").onclick = () => (run ? stop() : start());
$("cut").onclick = cutOrMend;
$("key-form").onsubmit = (event) => {
  event.preventDefault();
  keep($("key").value.trim());
  enter();
};
document.querySelector("#sources").onchange = ({ target }) => {
  if (target.name === "source") $("phone-options").hidden = target.value !== "phone";
};
enter();
