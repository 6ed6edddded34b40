// How labels, counts and times read.

/** WALKING_UPSTAIRS → Walking upstairs */
export function spoken(label) {
  const words = label.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function percent(probability) {
  return `${Math.round(100 * probability)} %`;
}

export function steps(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "step" : "steps"}`;
}

export function milliseconds(time) {
  return `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
}

/** An element with text and children. */
export function element(name, { text, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}
