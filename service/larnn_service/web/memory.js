// The queue as strips of k cells: how much attention each past cell state gets, in all and by head.

import { element, percent } from "./words.js";

const FULL = 3; // times an even share is as bright as it gets

export class MemoryView {
  #section = document.querySelector("#memory");
  #strips = document.querySelector("#strips");
  #size = document.querySelector("#memory-size");
  #words = document.querySelector("#attention-words");
  #layers = [];

  clear() {
    this.#section.hidden = true;
    this.#layers = [];
  }

  /** `attention` [layers][heads][k], oldest slot first; a head's weights sum to one. */
  show(attention) {
    if (!attention) return;
    if (this.#layers.length !== attention.length) this.#build(attention);
    const means = attention.map(mean);
    attention.forEach((heads, layer) => {
      [means[layer], ...heads].forEach((weights, row) => {
        weights.forEach((weight, slot) => {
          const cell = this.#layers[layer][row][slot];
          cell.style.opacity = Math.min(0.05 + (weight * weights.length) / FULL, 1).toFixed(3);
        });
      });
    });
    this.#words.textContent = means.map(inWords).join(" ");
  }

  #build(attention) {
    this.#layers = attention.map((heads) => [mean(heads), ...heads].map((row) => row.map(cell)));
    const views = this.#layers.map(([all, ...heads], layer) =>
      element(
        "div",
        { className: "layer" },
        element("span", { text: `Layer ${layer + 1}` }),
        strip("strip", all),
        ...heads.map((head) => strip("strip head", head)),
      ),
    );
    this.#strips.replaceChildren(...views);
    this.#size.textContent = `${attention[0][0].length} cell states with ${attention[0].length} heads`;
    this.#section.hidden = false;
  }
}

function cell() {
  return element("span", { className: "cell" });
}

function strip(className, cells) {
  const made = element("div", { className }, ...cells);
  made.style.gridTemplateColumns = `repeat(${cells.length}, 1fr)`;
  return made;
}

function mean(heads) {
  return heads[0].map((_, slot) => heads.reduce((sum, head) => sum + head[slot], 0) / heads.length);
}

function inWords(weights, layer) {
  const slot = weights.indexOf(Math.max(...weights));
  const ago = weights.length - slot;
  const when = ago === 1 ? "the last step" : `${ago} steps ago`;
  return `Layer ${layer + 1} looks most at ${when}, with ${percent(weights[slot])}.`;
}
