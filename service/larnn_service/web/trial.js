// A form that sends a request to an endpoint and shows what comes back.

import { key } from "./key.js";
import { element } from "./words.js";

const SHOWN = 50_000; // characters of an answer
const JSON_TYPE = "application/json";

/** The form for an endpoint: a field for each parameter, one for the body, and the answer below. */
export function trial(method, path, { parameters = [], requestBody }) {
  const inputs = parameters.map(({ name, in: place, required }) => ({
    place,
    name,
    input: element("input", { required: Boolean(required), autocomplete: "off" }),
  }));
  const body = requestBody && bodyField(requestBody.content);
  const answer = element("pre", { tabIndex: 0, ariaLabel: "The answer" });
  const form = element(
    "form",
    { className: "trial" },
    ...inputs.map(({ name, input }) => element("label", { text: name }, input)),
    ...(body ? [element("label", { text: `body, ${body.type}` }, body.input)] : []),
    element("button", { text: "Send" }),
    answer,
  );
  form.onsubmit = async (event) => {
    event.preventDefault();
    answer.textContent = "…";
    try {
      answer.textContent = await told(await fetch(...request(method, path, inputs, body)));
    } catch (error) {
      answer.textContent = error.message;
    }
  };
  return form;
}

function bodyField(content) {
  const example = content[JSON_TYPE]?.example;
  if (!(JSON_TYPE in content)) {
    const input = element("input", { type: "file" });
    return { type: Object.keys(content)[0], input, value: () => input.files[0] };
  }
  const value = example === undefined ? "" : JSON.stringify(example);
  const input = element("textarea", { value, spellcheck: false });
  return { type: JSON_TYPE, input, value: () => input.value };
}

/** The arguments of fetch. */
function request(method, path, inputs, body) {
  const headers = key() ? { Authorization: `Bearer ${key()}` } : {};
  const query = new URLSearchParams();
  let address = path.slice(1); // behind wherever this page lies
  for (const { place, name, input } of inputs.filter(({ input: { value } }) => value)) {
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (place === "query") query.set(name, input.value);
    else headers[name] = input.value;
  }
  if (body?.value()) headers["Content-Type"] = body.type;
  return [`${address}?${query}`, { method, headers, body: body?.value() || undefined }];
}

async function told(response) {
  const type = response.headers.get("Content-Type") ?? "";
  const content = await response.blob();
  const lines = [`${response.status} ${response.statusText}`];
  if (/json|text/.test(type)) lines.push((await content.text()).slice(0, SHOWN));
  else if (content.size) lines.push(`${content.size} bytes, ${type}`);
  return lines.join("\n\n");
}
