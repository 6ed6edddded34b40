"""`larnn bridge` before it reaches a broker: what is wrong with its description is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from larnn_cli.bridge.counts import Counts
from tests import tools
from tests.cli.command import Larnn


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('model = "other"', "'other' is none of toy"),
        ('outputs = ["other"]', "toy has logits"),
        ("max_waiting = 0", "max_waiting"),
    ],
)
def test_it_says_what_the_service_does_not_have(
    larnn: Larnn, toy_url: str, tmp_path: Path, more: str, why: str
) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(f'topic = "in"\nanswers = "out"\n{more}\n')
    done = larnn("bridge", "kafka", file, "--url", toy_url)
    assert done.code == 2
    assert why in done.err


def test_a_password_in_clear_and_what_is_no_address_are_told(
    larnn: Larnn, toy_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiokafka")
    monkeypatch.setenv("LARNN_BROKER_PASSWORD", "secret")
    file = tmp_path / "bridge.toml"
    file.write_text('topic = "in"\nanswers = "out"\nmodel = "other"\n')
    to = ("bridge", "kafka", file, "--url", toy_url, "--username", "me", "--broker")
    for broker, clear in (("here.example:9092", True), ("127.0.0.1,[::1]:9092", False)):
        done = larnn(*to, broker)
        assert done.code == 2
        assert ("in clear: add --broker-tls" in done.err) == clear
        assert "secret" not in done.err
    done = larnn(*to, "kafka://here.example")
    assert done.code == 2
    assert "write host:port, without a scheme" in done.err


def test_a_broker_that_is_not_there_is_told(larnn: Larnn, toy_url: str, tmp_path: Path) -> None:
    tools.package("aiokafka")
    file = tmp_path / "bridge.toml"
    file.write_text('topic = "in"\nanswers = "out"\n')
    done = larnn("bridge", "kafka", file, "--url", toy_url, "--broker", "127.0.0.1:1")
    assert done.code == 3
    assert "the broker does not answer" in done.err


def test_progress_tells_the_rate_since_the_last_line() -> None:
    counts = Counts(messages=2000, answers=1500, waiting=500, paused=1, streams=7)
    line = counts.line()
    assert line.startswith("2,000 messages, 1,500 answered (")
    assert line.endswith("500 on their way, 7 streams, 1 partitions wait at the broker")
    assert "(0/s)" in counts.line()
