"""python -m tests.faults.bridge.by_hand kafka|mqtt HOST:PORT: what people write without a bridge.

A loop that reads a message, calls onnxruntime, and publishes the answer. It holds the states in its
memory, so that a kill loses them, and what was on its way is lost or counted twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import numpy as np
import onnxruntime
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.server import ROOT
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import INPUT, LENGTHS, LOGITS, Manifest
from larnn_service.native import library
from tests.faults.bridge import tansu
from tests.faults.kill.truth import MODEL


class Network:
    """A session of onnxruntime, and a state for each device."""

    def __init__(self) -> None:
        folder = Repository(ROOT / "models").newest(MODEL)
        manifest = Manifest.model_validate_json((folder / "model.json").read_bytes())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if (native := library()) is not None:
            options.register_custom_ops_library(native)
        self._session = onnxruntime.InferenceSession(
            str(folder / manifest.graph.file), options, providers=["CPUExecutionProvider"]
        )
        self._labels = manifest.contract.labels
        self._tensors = manifest.contract.state
        self._outputs = [LOGITS, *(tensor.next_name for tensor in self._tensors)]
        self._states: dict[str, dict[str, Any]] = {}
        self._positions = Counter[str]()

    def answer(self, device: str, offset: int, body: bytes) -> bytes:
        """To a message of a device."""
        x = np.array(json.loads(body)["steps"], np.float32)[None]
        state = self._states.get(device)
        if state is None:
            state = {tensor.name: tensor.initial_array(1) for tensor in self._tensors}
        feed = {INPUT: x, LENGTHS: np.array([x.shape[1]]), **state}
        logits, *after = self._session.run(self._outputs, feed)
        names = [tensor.name for tensor in self._tensors]
        self._states[device] = dict(zip(names, after, strict=True))
        self._positions[device] += x.shape[1]
        last = logits[0, -1]
        shares = np.exp(last - last.max())
        shares /= shares.sum()
        told = {
            "key": device,
            "offset": offset,
            "position": self._positions[device],
            "label": self._labels[int(last.argmax())],
            "probabilities": dict(zip(self._labels, shares.tolist(), strict=True)),
            "logits": last.tolist(),
        }
        return json.dumps(told).encode()


async def kafka(address: str) -> None:
    """The records of a topic, until it is ended."""
    network = Network()
    consumer = AIOKafkaConsumer(
        tansu.SOURCE,
        bootstrap_servers=address,
        group_id="by-hand",
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await consumer.start()
    await producer.start()
    async for record in consumer:
        body = network.answer(record.key.decode(), record.offset, record.value)
        await producer.send(tansu.ANSWERS, body, key=record.key)


async def mqtt(address: str) -> None:
    """The messages of a filter, until it is ended."""
    network, offsets = Network(), Counter[str]()
    client = Client(CallbackAPIVersion.VERSION2, "larnn", clean_session=False)
    client.max_queued_messages_set(0)

    def came(client: Client, data: Any, message: MQTTMessage) -> None:
        topic = message.topic
        body = network.answer(topic, offsets[topic], bytes(message.payload))
        offsets[topic] += 1
        client.publish(f"labels/{topic}", body, qos=1)

    client.on_message = came
    host, port = address.split(":")
    client.connect(host, int(port))
    client.loop_forever()


if __name__ == "__main__":
    asyncio.run({"kafka": kafka, "mqtt": mqtt}[sys.argv[1]](sys.argv[2]))
