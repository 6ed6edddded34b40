// The page at /docs: every endpoint of the OpenAPI document, the shapes of what they take and give.

import { fields, table, typeOf } from "./schema.js";
import { keep, key } from "./key.js";
import { trial } from "./trial.js";
import { element } from "./words.js";

const $ = (id) => document.getElementById(id);
const text = (name, words) => element(name, { text: words });

function endpoint(path, method, operation) {
  const { summary, description = "", parameters = [], requestBody, responses } = operation;
  const parts = [text("p", description)];
  if (parameters.length) {
    const rows = parameters.map(({ name, in: place, schema, required, description: words }) => [
      text("code", name),
      place,
      typeOf(schema ?? {}),
      required ? "required" : "",
      words ?? "",
    ]);
    const heads = ["name", "in", "takes", "default", "meaning"];
    parts.push(text("h3", "Parameters"), table(heads, rows));
  }
  if (requestBody) parts.push(text("h3", "Body"), contents(requestBody.content));
  const rows = Object.entries(responses).map(([status, { description: words, content = {} }]) => [
    status,
    words,
    Object.values(content).flatMap(({ schema }) => (schema ? typeOf(schema) : [])),
  ]);
  parts.push(text("h3", "Answers"), table(["status", "means", "body"], rows));
  parts.push(text("h3", "Try it"), trial(method.toUpperCase(), path, operation));
  const verb = element("code", { className: "method", text: method });
  const head = [verb, text("code", path), element("span", { className: "hint", text: summary })];
  return folded(`${method}-${path}`, head, parts);
}

function contents(content) {
  const rows = Object.entries(content).map(([type, { schema = {} }]) => [
    text("code", type),
    typeOf(schema),
    schema.description ?? "",
  ]);
  return table(["type", "takes", "meaning"], rows);
}

function shape([name, schema]) {
  const example = schema.examples?.[0];
  const parts = [text("p", schema.description ?? ""), fields(schema)];
  if (example !== undefined) {
    const shown = element("pre", { text: JSON.stringify(example, null, 1), tabIndex: 0 });
    parts.push(text("h3", "Example"), shown);
  }
  return folded(name, [text("code", name)], parts);
}

/** A card that opens, and is filled when it first does. */
function folded(id, head, parts) {
  const summary = element("summary", {}, ...head);
  const card = element("details", { className: "card", id }, summary);
  card.addEventListener(
    "toggle",
    () => card.append(element("div", { className: "inside" }, ...parts)),
    { once: true },
  );
  return card;
}

function show({ paths, components }) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "others";
      groups.set(tag, [...(groups.get(tag) ?? []), endpoint(path, method, operation)]);
    }
  }
  groups.set("shapes", Object.entries(components.schemas).map(shape));
  for (const [tag, cards] of groups) $("endpoints").append(text("h2", tag), ...cards);
}

function openTarget() {
  const card = $(decodeURIComponent(location.hash.slice(1)));
  if (card?.tagName === "DETAILS") {
    card.open = true;
    card.scrollIntoView();
  }
}

function tellKey() {
  $("key-state").textContent = key() ? "a key is kept for this tab" : "";
}

$("key-form").onsubmit = (event) => {
  event.preventDefault();
  keep($("key").value.trim());
  $("key").value = "";
  tellKey();
};
tellKey();
try {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`the service answers ${response.status}`);
  show(await response.json());
  openTarget();
  addEventListener("hashchange", openTarget);
} catch (error) {
  $("problem").textContent = error.message;
}
