"""Recordings, streamed by the page to the real service, through every kind of break."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, WebSocketRoute, expect
from websockets.sync.client import connect

from tests import live
from tests.browser.conftest import OpenPage
from tests.browser.person import fact, start, wait_for_end, wait_for_position
from tests.client.proxy import proxied

STEPS = 3400
WINDOW = 16
LOST = "WebSocket connection"
"""What a browser writes into its console when a websocket cannot be had."""


def test_a_recording_is_told_as_what_the_person_did(
    har_url: str, open_page: OpenPage, picture: Callable[[Page], Path]
) -> None:
    page = open_page(har_url)
    start(page)
    label, truth = page.locator("#label"), page.locator("#truth")
    for activity in ("Standing", "Sitting", "Laying"):
        expect(truth).to_have_text(f"The person: {activity.lower()}", timeout=60_000)
        expect(label).to_have_text(activity)
        expect(page.locator("#strips .strip").first.locator(".cell")).to_have_count(WINDOW)
        expect(page.locator("#attention-words")).to_contain_text("Layer 2 looks most at")
    picture(page)
    wait_for_end(page)
    assert fact(page, "position") == fact(page, "durable") == STEPS
    assert fact(page, "held") == 0
    expect(page.get_by_role("log")).to_contain_text(f"Ended at step {STEPS}.")
    expect(page.get_by_role("listitem").filter(has_text="Laying")).to_have_class("most")


def test_what_comes_while_the_connection_is_cut_is_sent_when_it_is_back(
    tmp_path: Path, open_page: OpenPage, picture: Callable[[Page], Path]
) -> None:
    store = f"sqlite:///{tmp_path}/streams.db"
    with live.running(models=live.ROOT / "models", store=store) as url:
        page = open_page(url)
        start(page, speed=1)  # 68 s of it: it does not end while it is cut
        wait_for_position(page, 50)
        page.get_by_role("button", name="Cut the connection").click()
        expect(page.get_by_role("status")).to_have_text("Connection cut")
        stood, held = fact(page, "position"), fact(page, "held")
        page.wait_for_function(f"() => document.querySelector('#held').textContent > {held + 50}")
        assert fact(page, "position") == stood
        picture(page)
        page.get_by_role("button", name="Connect again").click()
        expect(page.get_by_role("log")).to_contain_text("Resumed at step")
        wait_for_position(page, stood + 60)
        page.close()  # before its service goes


def test_nothing_is_sent_before_the_service_says_where_to_begin(
    har_url: str, open_page: OpenPage
) -> None:
    page = open_page(har_url)
    routes: list[WebSocketRoute] = []
    sent: list[str | bytes] = []
    held: list[str | bytes] = []

    def second_opens_late(route: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            sent.append(message)
            server.send(message)

        def answer(message: str | bytes) -> None:
            if held:
                route.send(message)
            else:
                held.append(message)

        server = route.connect_to_server()
        routes.append(route)
        if len(routes) == 2:
            server.on_message(answer)
            route.on_message(pass_on)

    page.route_web_socket("**/stream*", second_opens_late)
    start(page, speed=1)  # 68 s of it: it does not end while the second is held up
    wait_for_position(page, 50)
    routes[0].close(code=1001)
    waiting = "() => Number(document.querySelector('#held').textContent) > 20"
    page.wait_for_function(waiting)
    while not held:
        page.wait_for_timeout(10)  # until the service has answered
    assert not sent
    routes[1].send(held[0])
    wait_for_position(page, fact(page, "position") + 40)
    assert len(routes) == 2


def test_a_restart_of_the_service_in_the_middle_loses_no_step(
    tmp_path: Path, open_page: OpenPage
) -> None:
    settings = {"models": live.ROOT / "models", "store": f"sqlite:///{tmp_path}/streams.db"}
    with ExitStack() as stack:
        first = stack.enter_context(live.process(**settings))
        proxy = stack.enter_context(proxied(first.url))
        page = open_page(proxy.url, expected=LOST)
        start(page, speed=4)
        wait_for_position(page, 100)
        assert first.stop() == 0
        proxy.lead_to(stack.enter_context(live.process(**settings)).url)
        log = page.get_by_role("log")
        expect(log).to_contain_text("Lost at step")
        expect(log).to_contain_text("Resumed at step")
        wait_for_end(page)
        assert fact(page, "position") == STEPS
        expect(page.locator("#label")).to_have_text("Laying")


def test_memory_alone_cannot_survive_a_restart_and_the_page_says_so(open_page: OpenPage) -> None:
    with live.process(models=live.ROOT / "models") as service:
        page = open_page(service.url, expected=LOST)
        start(page, speed=1)
        wait_for_position(page, 20)
        service.stop()
        expect(page.get_by_role("log")).to_contain_text("keeps streams in its memory alone")
        expect(page.get_by_role("status")).to_have_text("Stopped")
        expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_another_connection_takes_the_stream_over(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    frames: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))),
    )
    start(page, speed=1)
    stream = json.loads(frames[0])["stream"]
    with connect(f"{live.websocket_url(har_url)}?stream={stream}") as other:
        assert json.loads(other.recv(timeout=30))["stream"] == stream
    expect(page.get_by_role("log")).to_contain_text("Stopped: another connection")
