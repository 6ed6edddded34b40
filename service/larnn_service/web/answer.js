// What the network says: in large, and a row for each number, with a bar where it is a probability.

import { element, percent, spoken } from "./words.js";

const SURE = 0.5; // from which on a tag holds

const UNLIKE = "Not like anything I know";

const QUIET = 1500; // milliseconds for which a label must stay before it is spoken

/** The names of the numbers of a model's answer, none where it is an array without names. */
export function names({ outputs: [answer] }) {
  return answer.labels ?? answer.values?.map(({ name }) => name) ?? [];
}

/** Its numbers by these names. */
export function numbers({ values, probabilities }) {
  return values ?? probabilities;
}

/** The output that tells how unlike its training a step is; none where the model has no such. */
export function novelty({ outputs }) {
  return outputs.find(({ unsure_above: most }) => most !== undefined && most !== null);
}

/** Whether an answer is not to be relied on, as the model itself tells. */
export function isUnlike(model, { outputs }) {
  const telling = novelty(model);
  if (!telling) return false;
  const [value] = Object.values(outputs[telling.name].values);
  return value > telling.unsure_above;
}

/** What is said in large: the label, the tags that hold, or the first value. */
function said({ label, values, probabilities }) {
  if (label) return label;
  if (values) return Object.values(values)[0].toPrecision(3);
  const holding = Object.keys(probabilities).filter((name) => probabilities[name] >= SURE);
  return holding.join(", ") || "none";
}

export class AnswerView {
  #label = document.querySelector("#label");
  #truth = document.querySelector("#truth");
  #spoken = document.querySelector("#spoken");
  #list = document.querySelector("#bars");
  #bars = new Map();
  #model = null;
  #shown = null;
  #timer = 0;

  /** A row for each number. */
  begin(model) {
    this.#model = model;
    this.#bars = new Map(
      names(model).map((label, index) => {
        const value = element("span", { className: "value", text: "–" });
        const fill = element("span", { className: `fill c${index % 6}` });
        const track = element("span", { className: "track", ariaHidden: "true" }, fill);
        const name = element("span", { className: "name", text: spoken(label) });
        return [label, { row: element("li", {}, name, track, value), fill, value }];
      }),
    );
    this.#list.replaceChildren(...[...this.#bars.values()].map(({ row }) => row));
    this.#shown = null;
    this.#label.textContent = "Listening …";
    this.#label.className = "label idle";
    this.#truth.textContent = "";
  }

  /** What the network says, and what the person did, where that is known. */
  show(prediction, activity) {
    const all = numbers(prediction);
    const unlike = isUnlike(this.#model, prediction);
    const label = unlike ? UNLIKE : spoken(said(prediction));
    for (const [name, { row, fill, value }] of this.#bars) {
      const share = prediction.values ? 0 : all[name];
      fill.style.transform = `scaleX(${share.toFixed(3)})`;
      value.textContent = prediction.values ? all[name].toPrecision(3) : percent(share);
      row.classList.toggle("most", name === prediction.label && !unlike);
    }
    this.#truth.textContent = activity === null ? "" : `The person: ${spoken(activity).toLowerCase()}`;
    if (label === this.#shown) return;
    this.#shown = label;
    this.#label.textContent = label;
    const colour = Math.max([...this.#bars.keys()].indexOf(said(prediction)), 0) % 6;
    this.#label.className = unlike ? "label idle" : `label c${colour}`;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#spoken.textContent = label), QUIET);
  }
}
