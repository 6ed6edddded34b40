// The signals and the probabilities of the last seconds, drawn by uPlot, which the page loads first.

const SPAN = 12; // seconds
const FRAME = { normal: 0, reduced: 500 }; // milliseconds between two drawings
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** The page's colour of a label or axis by its number. */
function colour(index) {
  return css(`--c${index % 6}`);
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Lines over the last seconds of a stream. */
export class Chart {
  #element;
  #options;
  #data;
  #now = 0;
  #plot = null;
  #asked = false;
  #drawn = 0;
  #resized = new ResizeObserver(() => this.#plot?.setSize(this.#size()));

  /** `lines`: how many; `range`: of y, or null to fit what is there; `bands`: drawn over the top. */
  constructor(element, { lines, range = null, fill = false, bands = null, unit = "" }) {
    this.#element = element;
    this.#options = { lines, range, fill, bands, unit };
    this.clear();
    this.#resized.observe(element);
    dark.addEventListener("change", this.#build);
  }

  remove() {
    this.#resized.disconnect();
    dark.removeEventListener("change", this.#build);
    this.#plot?.destroy();
  }

  clear() {
    this.#data = Array.from({ length: this.#options.lines + 1 }, () => []);
    this.#now = 0;
    this.#build();
  }

  /** Values at a time in seconds; the oldest leave. */
  push(time, values) {
    [time, ...values].forEach((value, line) => this.#data[line].push(value));
    const old = this.#data[0].findIndex((then) => then >= time - SPAN - 1);
    if (old > 64) this.#data.forEach((line) => line.splice(0, old));
    this.moveTo(time);
  }

  /** The time at the right edge moves on, whether there are values for it or not. */
  moveTo(time) {
    this.#now = Math.max(this.#now, time);
    this.#ask();
  }

  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    const wait = (calm.matches ? FRAME.reduced : FRAME.normal) + this.#drawn - performance.now();
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(wait, 0));
  }

  #draw() {
    this.#asked = false;
    this.#drawn = performance.now();
    this.#plot?.setData(this.#data, false);
    this.#scale();
  }

  #scale() {
    const max = Math.max(this.#now, SPAN);
    this.#plot?.setScale("x", { min: max - SPAN, max });
  }

  #build = () => {
    this.#plot?.destroy();
    if (!window.uPlot) return; // an image that was built without npm: all else of the page works
    const { lines, range, fill, bands, unit } = this.#options;
    const axis = {
      stroke: css("--muted"),
      font: `11px ${css("--font")}`,
      ticks: { show: false },
      grid: { stroke: css("--line"), width: 1 },
    };
    const series = Array.from({ length: lines }, (_, line) => ({
      stroke: colour(line),
      width: 1.75,
      points: { show: false },
      ...(fill ? { fill: `${colour(line)}24` } : {}),
    }));
    const options = {
      ...this.#size(),
      padding: [bands ? 14 : 6, 4, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, auto: false }, y: range ? { range: () => range } : {} },
      axes: [
        { ...axis, size: 26, space: 60, values: (_, all) => all.map((value) => `${value} s`) },
        { ...axis, size: 44, space: 26, values: (_, all) => all.map((v) => `${v}${unit}`) },
      ],
      series: [{}, ...series],
      hooks: { draw: bands ? [(plot) => drawBands(plot, bands())] : [] },
    };
    this.#plot = new window.uPlot(options, this.#data, this.#element);
    this.#scale();
  };

  #size() {
    return { width: this.#element.clientWidth, height: this.#element.clientHeight };
  }
}

/** Rows of [number of a colour, first second, last second] in the space above the plot. */
function drawBands(plot, rows) {
  const { ctx, bbox } = plot;
  const scale = window.devicePixelRatio;
  rows.forEach((row, number) => {
    for (const [index, first, last] of row) {
      const [left, right] = [first, last].map((time) =>
        Math.min(Math.max(plot.valToPos(time, "x", true), bbox.left), bbox.left + bbox.width),
      );
      ctx.fillStyle = colour(index);
      ctx.fillRect(left, (1 + 6 * number) * scale, right - left, 4 * scale);
    }
  });
}
