// The label in large, and a bar for each probability.

import { element, percent, spoken } from "./words.js";

const QUIET = 1500; // milliseconds for which a label must stay before it is spoken

export class AnswerView {
  #label = document.querySelector("#label");
  #truth = document.querySelector("#truth");
  #spoken = document.querySelector("#spoken");
  #list = document.querySelector("#bars");
  #bars = new Map();
  #shown = null;
  #timer = 0;

  /** A bar for each label. */
  begin(labels) {
    this.#bars = new Map(
      labels.map((label, index) => {
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
  show({ label, probabilities }, activity) {
    for (const [name, { row, fill, value }] of this.#bars) {
      fill.style.transform = `scaleX(${probabilities[name].toFixed(3)})`;
      value.textContent = percent(probabilities[name]);
      row.classList.toggle("most", name === label);
    }
    this.#truth.textContent = activity === null ? "" : `The person: ${spoken(activity).toLowerCase()}`;
    if (label === this.#shown) return;
    this.#shown = label;
    this.#label.textContent = spoken(label);
    this.#label.className = `label c${[...this.#bars.keys()].indexOf(label) % 6}`;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#spoken.textContent = spoken(label)), QUIET);
  }
}
