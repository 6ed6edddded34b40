"""Streams through a proxy that cuts, swallows, delays and refuses: every step once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from larnn_client import Client, Prediction
from tests import live
from tests.client.proxy import Fault, Proxy, proxied
from tests.client.recording import SIGNAL, STEPS, check

byte_counts = st.integers(0, 4_000)
faults = st.one_of(
    st.builds(Fault, up=byte_counts),
    st.builds(Fault, down=byte_counts),
    st.builds(Fault, down=byte_counts, at_down=st.just("swallow")),
    st.builds(Fault, up=byte_counts, delay=st.just(0.001)),
    st.just(Fault(refuse=True)),
)
cuts = st.lists(st.integers(1, STEPS - 1), max_size=12, unique=True).map(sorted)


@pytest.fixture(scope="module")
def proxy(toy_url: str) -> Iterator[Proxy]:
    with proxied(toy_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> Iterator[Client]:
    with Client(proxy.url, keepalive=0.2, connect_timeout=1) as client:
        yield client


@settings(max_examples=25)
@given(
    plan=st.lists(faults, max_size=4),
    cut=cuts,
    ahead=st.integers(1, 6),
    binary=st.booleans(),
)
def test_any_faults_leave_each_answer_once_in_order(
    proxy: Proxy, client: Client, plan: list[Fault], cut: list[int], ahead: int, binary: bool
) -> None:
    edges = [0, *cut, STEPS]
    chunks = [SIGNAL[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    proxy.faults.clear()
    proxy.faults.extend(plan)
    with client.stream(logits=True, emit="every", binary=binary) as stream:
        check(list(stream.predict(chunks, ahead=ahead)), edges)
        assert stream.end() == STEPS


class Talk(RuleBasedStateMachine):
    """A caller sends and receives as it likes while the connection suffers."""

    proxy: Proxy
    client: Client

    @initialize(binary=st.booleans())
    def open(self, binary: bool) -> None:
        self.proxy.faults.clear()
        self.stream = self.client.stream(logits=True, emit="every", binary=binary)
        self.stream.__enter__()
        self.binary = binary
        self.edges = [0]
        self.predictions: list[Prediction] = []

    @precondition(lambda self: self.edges[-1] < STEPS)
    @rule(steps=st.integers(1, 9))
    def send(self, steps: int) -> None:
        end = min(self.edges[-1] + steps, STEPS)
        assert self.stream.send(SIGNAL[self.edges[-1] : end]) == end
        self.edges.append(end)

    @precondition(lambda self: self.stream.unread)
    @rule()
    def receive(self) -> None:
        self.predictions.append(self.stream.receive(timeout=60))

    @rule()
    def cut(self) -> None:
        self.proxy.cut()

    @rule(fault=faults)
    def cut_and_then(self, fault: Fault) -> None:
        self.proxy.faults.append(fault)
        self.proxy.cut()

    @rule()
    def leave_and_come_back(self) -> None:
        """As after a restart of the caller: all it has is the id and what it read."""
        stream = self.stream
        self.edges = [edge for edge in self.edges if edge <= stream.read]
        stream.close()
        self.stream = self.client.stream(
            resume=stream.id,
            position=stream.read,
            logits=True,
            emit="every",
            binary=self.binary,
        )
        self.stream.__enter__()

    def teardown(self) -> None:
        while self.edges[-1] < STEPS:
            self.send(steps=16)
        while self.stream.unread:
            self.receive()
        check(self.predictions, self.edges)
        assert self.stream.end() == STEPS
        self.stream.__exit__(None, None, None)


def test_any_interleaving_of_calls_and_faults(proxy: Proxy, client: Client) -> None:
    Talk.proxy, Talk.client = proxy, client
    limits = settings(max_examples=15, stateful_step_count=20)
    run_state_machine_as_test(Talk, settings=limits)


def test_a_service_that_counts_a_step_again_is_noticed(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is swallowed, so that its chunk is sent again: to a service that runs it again."""
    monkeypatch.setenv("BROKEN", "offset")
    edges = [0, 4, 8, 12, STEPS]
    with (
        live.process("tests.faults.broken_service", models=toy_models, model="toy") as service,
        proxied(service.url) as proxy,
        Client(proxy.url, keepalive=0.2, connect_timeout=1) as client,
        pytest.raises(AssertionError),
    ):
        for down in range(0, 4_000, 100):
            proxy.faults.append(Fault(down=down, at_down="swallow"))
            with client.stream(logits=True, emit="every") as stream:
                chunks = [SIGNAL[a:b] for a, b in pairwise(edges)]
                check(list(stream.predict(chunks, ahead=1)), edges)
