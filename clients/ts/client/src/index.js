// The client of the LARNN service: classify sequences, and hold streams that never lose a step.

export { answerOf } from "./answers.js";
export { Chunk, flat } from "./chunk.js";
export { Client } from "./client.js";
export * from "./errors.js";
export { Framer } from "./framer.js";
export { News } from "./news.js";
export { Stream } from "./stream.js";
export { onWake } from "./wake.js";

/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Classification} Classification */
/** @typedef {import("./messages.js").Model} Model */
/** @typedef {import("./messages.js").Models} Models */
/** @typedef {import("./messages.js").Opened} Opened */
/** @typedef {import("./messages.js").Output} Output */
/** @typedef {import("./messages.js").Prediction} Prediction */
/** @typedef {import("./chunk.js").Steps} Steps */
/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./measured.js").Measured} Measured */
/** @typedef {import("./service.js").ServiceOptions} ServiceOptions */
/** @typedef {import("./stream_options.js").StreamOptions} StreamOptions */
