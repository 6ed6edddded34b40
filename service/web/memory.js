// The queue as a strip of k cells for each layer: how much attention each past cell state gets.

import { element, percent } from "./words.js";

export class MemoryView {
  #section = document.querySelector("#memory");
  #strips = document.querySelector("#strips");
  #words = document.querySelector("#attention-words");
  #cells = [];

  clear() {
    this.#section.hidden = true;
    this.#cells = [];
  }

  /** `attention` [layers][heads][k], oldest slot first; each head's weights sum to one or less. */
  show(attention) {
    if (!attention) return;
    const layers = attention.map(mean);
    if (this.#cells.length !== layers.length) this.#build(layers);
    layers.forEach((weights, layer) => {
      const most = Math.max(...weights, 1e-9);
      weights.forEach((weight, slot) => {
        this.#cells[layer][slot].style.opacity = (0.06 + (0.94 * weight) / most).toFixed(3);
      });
    });
    this.#words.textContent = layers.map(inWords).join(" ");
  }

  #build(layers) {
    this.#cells = layers.map((weights) => weights.map(() => element("span", { className: "cell" })));
    const rows = this.#cells.map((cells, layer) => {
      const strip = element("div", { className: "strip" }, ...cells);
      strip.style.gridTemplateColumns = `repeat(${cells.length}, 1fr)`;
      return element("div", { className: "layer" }, element("span", { text: `Layer ${layer + 1}` }), strip);
    });
    this.#strips.replaceChildren(...rows);
    this.#section.hidden = false;
  }
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
