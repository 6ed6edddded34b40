// Schemas of the OpenAPI document, as people read them.

import { element } from "./words.js";

/** What fits a schema, as text and links: `list of number`, `Answer or null`. */
export function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [element("a", { href: `#${name}`, text: name })];
  }
  if (schema.anyOf) {
    return schema.anyOf.flatMap((one, at) => (at ? [" or ", ...typeOf(one)] : typeOf(one)));
  }
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" or ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {})];
  if (schema.additionalProperties instanceof Object) {
    return ["object of ", ...typeOf(schema.additionalProperties)];
  }
  return [schema.format ?? schema.type ?? "anything"];
}

/** A table with a row of cells for each entry. */
export function table(heads, rows) {
  const cell = (name) => (content) => element(name, {}, ...[content].flat());
  const head = element("tr", {}, ...heads.map(cell("th")));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell("td"))));
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "scrolls", tabIndex: 0 }, made);
}

/** The fields of an object's schema. */
export function fields({ properties = {}, required = [] }) {
  const rows = Object.entries(properties).map(([name, schema]) => [
    element("code", { text: name }),
    typeOf(schema),
    required.includes(name) ? "required" : defaultOf(schema),
    schema.description ?? "",
  ]);
  return table(["field", "takes", "default", "meaning"], rows);
}

function defaultOf({ default: value }) {
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
