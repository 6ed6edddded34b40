"""Who comes in: keys, origins, owners of streams, and what each may have at work."""

from __future__ import annotations

import pytest

from larnn_service.admission.byte_budget import FREE
from larnn_service.admission.gate import OPEN, Gate
from larnn_service.admission.keys import new_key
from larnn_service.errors import Forbidden, Full, ServiceError, Unauthorized, UnknownStream
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from larnn_service.wire.http import Head

IDS = StreamIds("secret")
ANNAS, ANNAS_ENTRY = new_key("anna")
BERTS, BERTS_ENTRY = new_key("bert")
ANNAS_STREAM, NOBODYS_STREAM = IDS.new("anna"), IDS.new()
LIMIT = 2**20


def gate(keys: bool = True, origins: str = "") -> Gate:
    named = {"api_keys": f"{ANNAS_ENTRY},{BERTS_ENTRY}" if keys else "", "allowed_origins": origins}
    settings = Settings(
        max_at_work_per_key=2, max_waiting_bytes=LIMIT, max_body=LIMIT, max_message=LIMIT
    )
    return Gate(settings.model_copy(update=named), IDS)


def head(path: str, key: str | None = None, query: str = "", **headers: str) -> Head:
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return Head("GET", path, query, {name.replace("_", "-"): v for name, v in headers.items()})


def test_a_key_is_its_owners() -> None:
    doors = gate()
    assert doors.admit(head("/classify", ANNAS)) == "anna"
    assert doors.admit(head("/classify", BERTS)) == "bert"
    assert doors.admit(head("/stream", sec_websocket_protocol=f"x, larnn.key.{ANNAS}")) == "anna"
    assert doors.admit_grpc(f"bearer {BERTS}") == "bert"


@pytest.mark.parametrize(
    "key", [None, "", "wrong", ANNAS[:-1]], ids=["none", "empty", "wrong", "cut"]
)
def test_without_a_right_key_nobody_comes_in(key: str | None) -> None:
    doors = gate()
    with pytest.raises(Unauthorized):
        doors.admit(head("/classify", key))
    with pytest.raises(Unauthorized):
        doors.admit_grpc("" if key is None else f"Bearer {key}")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("spaces", [1, 2, 5])
def test_a_key_stands_behind_its_scheme_and_spaces(scheme: str, spaces: int) -> None:
    """One space or more (RFC 9110, 11.4); nothing else comes between, nothing behind."""
    before, doors = scheme + " " * spaces, gate()
    assert doors.admit(head("/classify", authorization=before + ANNAS)) == "anna"
    assert doors.admit_grpc(before + ANNAS) == "anna"
    for value in (
        f"{before}{ANNAS} {BERTS}",
        f"{before}{ANNAS},{BERTS}",
        f"{scheme}\t{ANNAS}",
        f"{scheme} \t{ANNAS}",
        f"{scheme}{ANNAS}",
        before,
        f" {before}{ANNAS}\n",
    ):
        with pytest.raises(Unauthorized):
            doors.admit(head("/classify", authorization=value))


@pytest.mark.parametrize("path", [*sorted(OPEN), "/web/index.html"])
def test_what_says_nothing_of_anyone_is_open(path: str) -> None:
    assert gate().admit(head(path, origin="https://anywhere")) == ""


@pytest.mark.parametrize("path", ["/web", "/website", "/healthz/", "/metrics", "/v2", "/unknown"])
def test_nothing_else_is(path: str) -> None:
    with pytest.raises(Unauthorized):
        gate().admit(head(path))


def test_where_no_keys_are_set_all_are_nobody() -> None:
    doors = gate(keys=False)
    assert doors.admit(head("/classify", "any")) == doors.admit_grpc("") == ""
    for _ in range(5):
        doors.begin("")
    assert doors.admit(head("/classify")) == ""


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"/streams/{ANNAS_STREAM}", ""),
        (f"/streams/{ANNAS_STREAM}/steps", ""),
        ("/stream", f"stream={ANNAS_STREAM}"),
    ],
    ids=["stream", "steps", "websocket"],
)
def test_a_stream_is_its_owners_alone(path: str, query: str) -> None:
    doors = gate()
    assert doors.admit(head(path, ANNAS, query)) == "anna"
    with pytest.raises(UnknownStream):
        doors.admit(head(path, BERTS, query))
    with pytest.raises(UnknownStream):
        gate(keys=False).admit(head(path, query=query))


def test_a_stream_of_nobodys_is_none_of_a_keys() -> None:
    path = f"/streams/{NOBODYS_STREAM}"
    assert gate(keys=False).admit(head(path)) == ""
    with pytest.raises(UnknownStream):
        gate().admit(head(path, ANNAS))


def test_the_list_of_streams_and_a_new_one_ask_for_none() -> None:
    doors = gate()
    assert doors.admit(head("/streams", ANNAS)) == doors.admit(head("/stream", ANNAS)) == "anna"


@pytest.mark.parametrize("path", ["/classify", "/stream", "/unknown"])
def test_pages_come_from_where_they_may(path: str) -> None:
    doors = gate(keys=False, origins="https://there.example")
    for origin in ("https://there.example", "https://localhost"):
        assert doors.admit(head(path, host="localhost", origin=origin)) == ""
    with pytest.raises(Forbidden, match="LARNN_ALLOWED_ORIGINS"):
        doors.admit(head(path, host="localhost", origin="https://elsewhere.example"))
    with pytest.raises(Forbidden, match="LARNN_ALLOWED_ORIGINS"):
        doors.admit(head(path, host="localhost", origin="null"))
    assert gate(keys=False, origins="*").admit(head(path, origin="null")) == ""


@pytest.mark.parametrize("path", [*sorted(OPEN), "/web/app.js", "/classify", "/stream", "/unknown"])
def test_without_keys_nothing_is_open_to_a_page_that_has_made_its_name_lead_here(path: str) -> None:
    rebound = head(path, host="rebound.example", origin="http://rebound.example")
    with pytest.raises(Forbidden, match="LARNN_ALLOWED_HOSTS"):
        gate(keys=False, origins="*").admit(rebound)
    if path not in OPEN and not path.startswith("/web/"):
        with pytest.raises(Unauthorized):
            gate().admit(rebound)


def test_a_preflight_needs_no_key_where_its_page_may_ask() -> None:
    doors = gate(origins="https://there.example")

    def preflight(origin: str, method: str = "OPTIONS") -> Head:
        asks = {"access-control-request-method": "POST", "host": "localhost", "origin": origin}
        return Head(method, "/classify", "", asks)

    assert doors.admit(preflight("https://there.example")) == ""
    with pytest.raises(Forbidden):
        doors.admit(preflight("https://elsewhere.example"))
    for method in ("GET", "POST"):
        with pytest.raises(Unauthorized):
            doors.admit(preflight("https://there.example", method))


def test_a_key_has_so_much_at_work_and_no_more() -> None:
    doors = gate()
    first, second = doors.begin("anna"), doors.begin("anna")
    with pytest.raises(Full, match="2 requests and connections"):
        doors.admit(head("/classify", ANNAS))
    with pytest.raises(Full):
        doors.admit_grpc(f"Bearer {ANNAS}")
    assert doors.admit(head("/classify", BERTS)) == "bert"
    doors.end("anna", first)
    assert doors.admit(head("/classify", ANNAS)) == "anna"
    doors.end("anna", second)


def test_bytes_count_while_they_are_at_work() -> None:
    doors = gate()
    with doors.at_work("anna") as held:
        held.set(LIMIT + FREE)
        assert doors.bytes.total == LIMIT
        other = doors.begin("bert")
        other.set(FREE)
        with pytest.raises(Full):
            other.set(FREE + 1)
        with pytest.raises(Full):
            held.set(LIMIT + FREE + 1)
        assert doors.bytes.total == LIMIT
    assert doors.bytes.total == 0
    other.set(FREE + 1)
    doors.end("bert", other)
    assert doors.bytes.total == 0


def test_work_that_fails_leaves_nothing_behind() -> None:
    doors = gate()
    for _ in range(3):
        with pytest.raises(ServiceError), doors.at_work("anna") as held:
            held.set(LIMIT)
            raise UnknownStream()
    assert doors.bytes.total == 0
    assert doors.admit(head("/classify", ANNAS)) == "anna"
