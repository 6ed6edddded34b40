// What the network says: in large, and a row for each number, with a bar where it is a probability.

import { element, percent, spoken } from "./words.js";

const SURE = 0.5; // from which on a tag holds

const QUIET = 1500; // milliseconds for which a label must stay before it is spoken

/** The names of the numbers of a model's answer, none where it is an array without names. */
export function names({ outputs: [answer] }) {
  return answer.labels ?? answer.values?.map(({ name }) => name) ?? [];
}

/** Its numbers by these names. */
export function numbers({ values, probabilities }) {
  return values ?? probabilities;
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
  #shown = null;
  #timer = 0;

  /** A row for each number. */
  begin(model) {
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
    const label = said(prediction);
    for (const [name, { row, fill, value }] of this.#bars) {
      const share = prediction.values ? 0 : all[name];
      fill.style.transform = `scaleX(${share.toFixed(3)})`;
      value.textContent = prediction.values ? all[name].toPrecision(3) : percent(share);
      row.classList.toggle("most", name === prediction.label);
    }
    this.#truth.textContent = activity === null ? "" : `The person: ${spoken(activity).toLowerCase()}`;
    if (label === this.#shown) return;
    this.#shown = label;
    this.#label.textContent = spoken(label);
    this.#label.className = `label c${Math.max([...this.#bars.keys()].indexOf(label), 0) % 6}`;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#spoken.textContent = spoken(label)), QUIET);
  }
}
