"""docs/protocol.md: its examples work, and its tables say all that the code says."""

from __future__ import annotations

import inspect
import json

import httpx
import msgspec
import pytest
from pydantic_core import PydanticUndefined
from websockets.sync.client import connect

from larnn_service.settings import Settings
from larnn_service.wire import http_schemas, state_file, stream_schemas
from larnn_service.wire.error_responses import FAILURES
from tests import live
from tests.docs import page

PROTOCOL = page.read("protocol.md")
BLOCKS = page.blocks(PROTOCOL)
STRUCTS = sorted(
    {
        item
        for module in (stream_schemas, http_schemas, state_file)
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, msgspec.Struct)
        and item is not msgspec.Struct
        and not item.__name__.startswith("_")
    },
    key=lambda struct: struct.__name__,
)
DEFAULTS = {
    "models": "`models`, or the package `larnn-models`",
    "model": "the only one, or `larnn-har`",
    "secret": "random",
    "concurrency": "number of cores, or the container's quota",
} | dict.fromkeys(
    (
        *("api_keys", "allowed_hosts", "allowed_origins", "capture_owners"),
        *("operators", "root_path", "served_as"),
    ),
    "none",
)


def test_the_http_examples_are_answered_as_written(client: httpx.Client) -> None:
    stream = ""
    for block, following in zip(BLOCKS, [*BLOCKS[1:], page.Block("", "")], strict=True):
        if block.language != "http":
            continue
        method, path = block.head.split(" ")
        answer = client.request(method, path.replace("ID", stream), content=block.rest)
        if path == "/streams":
            stream = answer.json()["stream"]
        if following.language == "json":
            assert page.agrees(answer.json(), json.loads(following.text)), answer.text
        else:
            assert answer.is_success, answer.text


def test_the_websocket_example_is_answered_as_written(toy_url: str) -> None:
    [block] = [block for block in BLOCKS if block.language == "websocket"]
    address = live.websocket_url(toy_url).removesuffix("/stream") + block.head
    with connect(address) as socket:
        for line in block.rest.splitlines():
            direction, message = line.split(" ", 1)
            if direction == "←":
                socket.send(message)
            else:
                answer = socket.recv(timeout=30)
                assert page.agrees(json.loads(answer), json.loads(message)), answer


def test_every_door_is_named(client: httpx.Client) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if path.startswith("/v2"):  # they have a page of their own
            continue
        for method in methods:
            assert f"`{method.upper()} {path.replace('{stream_id}', 'ID')}`" in PROTOCOL


@pytest.mark.parametrize("code", FAILURES)
def test_every_error_stands_in_the_table(code: str) -> None:
    failure = FAILURES[code]
    assert f"| `{code}` | {failure.status} | {failure.close} |" in PROTOCOL


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_table_with_its_default(name: str) -> None:
    default = Settings.model_fields[name].default
    if default in (PydanticUndefined, ""):
        written = DEFAULTS[name]
    else:
        written = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    assert f"| `LARNN_{name.upper()}` | {written} |" in PROTOCOL


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_of_a_message_is_told(struct: type[msgspec.Struct]) -> None:
    fields = [f"`{field.encode_name}`" for field in msgspec.structs.fields(struct)]
    told = [text for text in page.paragraphs(PROTOCOL) if f"`{struct.__name__}`" in text]
    assert any(all(field in text for field in fields) for text in told)
