// The live page: what the person chooses, and the views.

import { Unauthorized } from "@larnn/client";

import { AnswerView, names } from "./answer.js";
import { Chart } from "./charts.js";
import { ConnectionView } from "./connection.js";
import { keep } from "./key.js";
import { MemoryView } from "./memory.js";
import { takesMotion } from "./motion.js";
import { Run } from "./run.js";
import { service } from "./service.js";
import { Sound, takesSound } from "./sound.js";
import { Phone, Recording } from "./sources.js";
import { element } from "./words.js";

const PATIENCE = 5_000; // milliseconds
const $ = (id) => document.getElementById(id);

const answer = new AnswerView();
const connection = new ConnectionView();
const memory = new MemoryView();
let model = null;
let recordings = null;
let run = null;
let shown = null; // the run of the charts, over or not

const acceleration = new Chart($("acceleration"), { lines: 3, unit: " g" });
const rotation = new Chart($("rotation"), { lines: 3 });
const sound = new Chart($("sound"), { lines: 2 });
let probabilities = null;

async function start() {
  $("problem").textContent = "";
  try {
    const source = await chosenSource();
    run?.stop();
    begin();
    const views = { acceleration, rotation, sound, probabilities, answer, connection, memory };
    run = new Run(model, source, Number($("speed").value), views, finished);
    shown = run;
    run.stream.addEventListener("opened", () => ($("cut").disabled = false));
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

/** The source that a person may have chosen before the recordings came, or null. */
function chosen() {
  return document.querySelector("input[name=source]:checked");
}

async function chosenSource() {
  const name = chosen().value;
  if (name === "microphone") {
    const missing = Sound.missing();
    if (missing) throw new Error(missing);
    return new Sound(model);
  }
  if (name !== "phone") {
    return Recording.load(recordings.recordings.find((entry) => entry.name === name), recordings);
  }
  const missing = Phone.missing();
  if (missing) throw new Error(missing);
  await Phone.allow();
  return new Phone({ upright: $("worn").value === "upright" });
}

function begin() {
  answer.begin(model);
  memory.clear();
  connection.begin();
  [acceleration, rotation, sound, probabilities].forEach((chart) => chart.clear());
  $("start").textContent = "Stop";
  $("start").dataset.running = "true";
  $("model").disabled = true;
}

/** The stream is over: by itself, or because something went wrong. */
function finished(state, text) {
  connection.say(text);
  connection.state(state);
  delete $("start").dataset.running;
  $("start").textContent = "Start";
  $("cut").disabled = true;
  $("model").disabled = false;
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
  if (run.away) run.cut();
  else run.stream.reconnect();
}

/** The models whose steps this page can make of a phone's readings, or of sound. */
function offer({ default: preferred, models: served }) {
  const fitting = served.filter((one) =>
    (takesMotion(one) || takesSound(one)) &&
    one.context.every((tensor) => "default" in tensor) &&
    names(one).length,
  );
  if (!fitting.length) {
    throw new Error("No model here takes a phone’s signals or sound; this page shows those that do.");
  }
  $("model").replaceChildren(...fitting.map(({ name }) => element("option", { text: name })));
  $("model").parentElement.hidden = fitting.length === 1;
  const choose = (name) => {
    model = fitting.find((one) => one.name === name) ?? fitting[0];
    $("model").value = model.name;
    probabilities?.remove();
    probabilities = new Chart($("probabilities"), {
      lines: names(model).length,
      range: model.outputs[0].task === "values" ? null : [0, 1],
      fill: model.outputs[0].task !== "values",
      bands: () => shown?.bands() ?? [],
    });
    shown = null;
    offerSources(takesSound(model));
    answer.begin(model);
    $("label").textContent = "Press start";
  };
  $("model").onchange = () => choose($("model").value);
  choose(preferred);
}

/** What the chosen model can read, and the charts of it. */
function offerSources(heard) {
  for (const element of document.querySelectorAll(".of-motion")) element.hidden = heard;
  for (const element of document.querySelectorAll(".of-sound")) element.hidden = !heard;
  if (!chosen() || chosen().closest("[hidden]")) {
    document.querySelector("#sources > :not([hidden]) .choice input").checked = true;
  }
  $("phone-options").hidden = chosen().value !== "phone";
}

async function enter() {
  try {
    const served = await service(PATIENCE).models();
    recordings ??= await (await fetch("web/recordings/index.json")).json();
    const choices = recordings.recordings.map(({ name, title }) => sourceChoice(name, title));
    $("recordings").replaceChildren(...choices);
    offer(served);
    $("key-form").hidden = true;
    $("start").disabled = false;
  } catch (error) {
    $("key-form").hidden = !(error instanceof Unauthorized);
    $("problem").textContent = error.detail ?? error.message;
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
