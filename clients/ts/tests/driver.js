// Streams for the tests in Python: a job as JSON a line on stdin, its outcome as a line on stdout.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { Client } from "../client/src/index.js";

const jobs = { classify, models, open, stream, talk, leave, feed, fill, many, more };
Object.assign(jobs, { edge, begin, offline, edgeOpen, edgeSend, edgeReturned, edgeEnd });
let allowed = 0; // chunks that each of `many` streams may have sent
let wakes = [];
let held; // the EdgeStream of `edgeOpen`
let returns = [];

for await (const line of createInterface({ input: process.stdin })) {
  const { id, job, ...what } = JSON.parse(line);
  jobs[job](what).then(
    (outcome) => say({ id, outcome }),
    (error) => say({ id, error: error.name, code: error.code, detail: error.message }),
  );
}
process.exit();

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function classify({ url, sequences, options, ...more }) {
  return new Client(url, more.client).classify(sequences, options);
}

function models({ url, client }) {
  return new Client(url, client).models();
}

/** The id of a stream that no connection holds. */
async function open({ url, which, name }) {
  return (await new Client(url).open(which, name)).stream;
}

/** Chunks of a signal between edges, each of them answered. */
async function stream({ url, client, signal, edges, ahead, options }) {
  const stream = await new Client(url, client).stream(options);
  const predictions = [];
  for await (const prediction of stream.predict(chunks(signal, edges), { ahead })) {
    predictions.push(prediction);
  }
  return { predictions, opened: stream.opened, ended: await stream.end() };
}

/** The caller sends, receives, cuts and comes back after a restart of its own, as the moves say. */
async function talk({ url, client, signal, moves, options }) {
  const caller = new Client(url, client);
  let stream = await caller.stream(options);
  const predictions = [];
  let edges = [0];
  const send = (steps) => {
    const end = Math.min(edges.at(-1) + steps, signal.length);
    if (end > edges.at(-1)) edges.push(stream.send(signal.slice(edges.at(-1), end)));
  };
  for (const [move, count] of moves) {
    if (move === "send") send(count);
    else if (move === "receive" && stream.unread) predictions.push(await stream.receive());
    else if (move === "disconnect") stream.disconnect();
    else if (move === "reconnect") stream.reconnect();
    else if (move === "restart") {
      const { id, read } = stream;
      edges = edges.filter((edge) => edge <= read);
      stream.close();
      stream = await caller.stream({ ...options, resume: id, position: read });
    }
  }
  stream.reconnect();
  while (edges.at(-1) < signal.length) send(16);
  while (stream.unread) predictions.push(await stream.receive());
  return { predictions, edges, ended: await stream.end() };
}

/** What is still received of a stream that was left when all its answers had come. */
async function leave({ url, signal, edges }) {
  const stream = await new Client(url).stream({ logits: true });
  for (const chunk of chunks(signal, edges)) stream.send(chunk);
  while (stream.answered < edges.at(-1)) await new Promise(setImmediate);
  stream.close();
  const positions = [];
  for await (const { position } of stream) positions.push(position);
  return { positions, read: stream.read, unread: stream.unread };
}

/** Samples in pieces; one that is refused is fed again once there is room, another never. */
async function feed({ url, signal, pieces, options }) {
  const stream = await new Client(url).stream(options);
  const samples = Float32Array.from(signal.flat());
  const predictions = [];
  let refused = 0;
  for (let at = 0, piece = 0; at < samples.length; at += pieces[piece++]) {
    const fed = samples.slice(at, at + pieces[piece]);
    const wrong = fed.slice().fill(NaN, -1);
    assert.throws(() => stream.feed(wrong), { name: "BadInput" });
    for (;;) {
      try {
        stream.feed(fed);
        break;
      } catch (error) {
        if (error.name !== "BufferFull" || !stream.unread) throw error;
        refused += 1;
        while (stream.unread) predictions.push(await stream.receive());
      }
    }
  }
  while (stream.unread) predictions.push(await stream.receive());
  return { predictions, refused, ended: await stream.end() };
}

/** Samples whose last step is filled with zeros: how many are left, and how many zeros it takes. */
async function fill({ url, samples, options }) {
  const stream = await new Client(url).stream(options);
  const told = [stream.finish()];
  stream.feed(Float32Array.from(samples));
  told.push(stream.left, stream.finish(), stream.left);
  const predictions = [];
  while (stream.unread) predictions.push(await stream.receive());
  await stream.end();
  assert.throws(() => (stream.finish(), stream.feed(new Float32Array(1))), { name: "StreamClosed" });
  return { told, logits: predictions.map(({ logits }) => logits) };
}

/** Many streams of the same chunks, which go on as far as `more` allows. */
async function many({ url, client, signal, edges, count, options }) {
  const caller = new Client(url, client);
  let answered = 0;
  const one = async () => {
    const stream = await caller.stream(options);
    const predictions = [];
    for await (const prediction of stream.predict(paced(signal, edges), { ahead: 4 })) {
      predictions.push(prediction);
      say({ answered: ++answered });
    }
    return { predictions, ended: await stream.end() };
  };
  return Promise.all(Array.from({ length: count }, one));
}

/** A version's folder, run here. */
async function edgeModel(folder) {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const { EdgeModel } = await import("@larnn/edge");
  return EdgeModel.load(ort, (file) => readFile(`${folder}/${file}`));
}

/** A recording in which the network is cut now and then. */
async function edge({ url, client, folder, ...what }) {
  const { run } = await import("./edge_run.js");
  const gate = what.paced && (async (chunk) => {
    say({ answered: chunk - 1 });
    while (chunk > allowed) await new Promise((wake) => wakes.push(wake));
  });
  const service = new Client(url, client);
  return run({ client: service, model: await edgeModel(folder), ...what, gate });
}

/** An EdgeStream that later jobs go on with; its id. */
async function edgeOpen({ url, client, folder, options }) {
  const { EdgeStream } = await import("@larnn/edge");
  held = new EdgeStream(new Client(url, client), await edgeModel(folder), options);
  returns = [];
  held.addEventListener("returned", ({ detail }) => {
    returns.push(detail.position);
    for (const wake of wakes.splice(0)) wake();
  });
  const opened = await new Promise((resolve) => held.addEventListener("opened", resolve));
  return opened.detail.stream;
}

async function edgeSend({ steps }) {
  held.send(steps);
  return held.receive();
}

/** Once the service has it again for so many times: where it stood each time. */
async function edgeReturned({ times }) {
  while (returns.length < times) await new Promise((wake) => wakes.push(wake));
  return returns;
}

function edgeEnd() {
  return held.end();
}

/** What the state of a version in a folder begins with, and the logits of one step of zeros. */
async function begin({ folder }) {
  const model = await edgeModel(folder);
  const state = model.initial();
  const plain = Object.entries(state.tensors).map(([name, { data }]) => [name, [...data].map(Number)]);
  const { outputs } = await model.advance(state, new Float32Array(model.width));
  const given = Object.entries(outputs).map(([name, data]) => [name, [...data].map(Number)]);
  return { state: Object.fromEntries(plain), outputs: Object.fromEntries(given) };
}

/** The network alone, and its last state as the service reads it. */
async function offline({ folder, signal, edges }) {
  const { read, write } = await import("@larnn/edge");
  const model = await edgeModel(folder);
  let state = model.initial();
  const logits = [];
  for (const chunk of chunks(signal, edges)) {
    const advanced = await model.advance(state, Float32Array.from(chunk.flat()));
    logits.push(...advanced.outputs.logits);
    const file = write(model.name, model.version, advanced.state);
    state = read(file);
    state.file = Buffer.from(file).toString("base64");
  }
  return { logits, file: state.file };
}

async function more({ chunks }) {
  allowed = chunks;
  for (const wake of wakes.splice(0)) wake();
  return true;
}

async function* paced(signal, edges) {
  let sent = 0;
  for (const chunk of chunks(signal, edges)) {
    while (sent >= allowed) await new Promise((wake) => wakes.push(wake));
    sent += 1;
    yield chunk;
  }
}

function chunks(signal, edges) {
  return edges.slice(1).map((end, index) => signal.slice(edges[index], end));
}
