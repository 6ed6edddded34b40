"""A device that slept: what became of its connections without a word is found out when it wakes."""

from __future__ import annotations

from tests.browser.conftest import ICON, OpenPage
from tests.client.proxy import proxied

OPEN = """async (options) => {
  const { Client } = await import("/web/client/index.js");
  window.stream = await new Client(location.origin, options).stream();
}"""
SEND = """async (step) => {
  window.stream.send([step]);
  return (await window.stream.receive()).position;
}"""
BEGIN = "(step) => window.stream.send([step])"
WAKE = "() => window.dispatchEvent(new Event('online'))"
RECEIVE = "async () => (await window.stream.receive()).position"
STEP = [0.1, -0.2]
LATE = "WebSocket is closed before the connection is established"
"""Said of a connection that takes longer than its time, and is tried again."""


def test_a_connection_that_died_in_sleep_is_given_up_soon(
    toy_url: str, open_page: OpenPage
) -> None:
    with proxied(toy_url) as proxy:
        page = open_page(f"{proxy.url}/healthz", expected=(ICON, LATE))
        page.evaluate(OPEN, {"connectTimeout": 1_000, "answerTimeout": 600_000})
        assert page.evaluate(SEND, STEP) == 1
        for position in (2, 3):  # what was owed in sleep; what is sent after it
            proxy.mute()
            if position == 2:
                page.evaluate(BEGIN, STEP)
            page.evaluate(WAKE)
            if position == 3:
                page.evaluate(BEGIN, STEP)
            assert page.evaluate(RECEIVE) == position
        page.close()


def test_a_connection_that_lives_stays(toy_url: str, open_page: OpenPage) -> None:
    with proxied(toy_url) as proxy:
        page = open_page(f"{proxy.url}/healthz", expected=ICON)
        page.evaluate(OPEN, {"connectTimeout": 10_000})
        connections = proxy.connections
        for position in (1, 2):
            page.evaluate(WAKE)
            assert page.evaluate(SEND, STEP) == position
        assert proxy.connections == connections
        page.close()
