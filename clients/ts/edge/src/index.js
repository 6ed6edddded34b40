// The network at the edge: a version of a model in a page or in Node, and streams that change places.

export { EdgeModel } from "./model.js";
export { EdgeStream } from "./edge_stream.js";
export { read, write } from "./safetensors.js";

/** @typedef {import("./safetensors.js").State} State */
