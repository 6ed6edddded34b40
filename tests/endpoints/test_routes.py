"""Paths and the endpoints that they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from larnn_service.endpoints.exchange import Answer, Endpoint, Request
from larnn_service.endpoints.routes import Routes
from larnn_service.wire.http import Head


class Door:
    """An endpoint at these routes that does nothing."""

    method = "POST"
    max_body = 0

    def __init__(self, *routes: str) -> None:
        self.routes = routes
        self.documentation: dict[str, Any] = {}

    def begin(self, request: Request, answer: Answer) -> Callable[[], None] | None:
        return None


CLASSIFY = Door("/classify")
STEPS = Door("/streams/{stream_id}/steps")
INFER = Door("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")
ENDPOINTS: list[Endpoint] = [CLASSIFY, STEPS, INFER]
ROUTES = Routes(ENDPOINTS)


def head(path: str, method: str = "POST") -> Head:
    return Head(method, path, "", {})


@pytest.mark.parametrize(
    ("path", "endpoint", "route", "parameters"),
    [
        ("/classify", CLASSIFY, "/classify", {}),
        ("/streams/ab.c/steps", STEPS, STEPS.routes[0], {"stream_id": "ab.c"}),
        ("/v2/models/toy/infer", INFER, INFER.routes[0], {"name": "toy"}),
        (
            "/v2/models/a toy/versions/2/infer",
            INFER,
            INFER.routes[1],
            {"name": "a toy", "version": "2"},
        ),
    ],
)
def test_a_path_leads_to_its_endpoint(
    path: str, endpoint: Door, route: str, parameters: dict[str, str]
) -> None:
    found = ROUTES.match(head(path))
    assert found is not None
    assert found.endpoint is endpoint
    assert (found.route, found.parameters) == (route, parameters)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/classify/",
        "/Classify",
        "/classifyx",
        "/streams//steps",
        "/streams/a/b/steps",
        "/streams/a/steps/",
        "/streams/a",
        "x/streams/a/steps",
        "/v2/models/toy/versions/infer",
        "/streams/{stream_id}/steps/more",
    ],
)
def test_any_other_path_is_left_to_the_framework(path: str) -> None:
    assert ROUTES.match(head(path)) is None


def test_another_method_leads_there_too_and_a_preflight_does_not() -> None:
    found = ROUTES.match(head("/classify", "GET"))  # the exchange says which method it takes
    assert found is not None and found.endpoint is CLASSIFY
    assert ROUTES.match(head("/classify", "OPTIONS")) is None
