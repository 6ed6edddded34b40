"""The JavaScript client in Node, against the real service: every step once, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from larnn_client import Client
from tests import carried, live, many_outputs
from tests.client.proxy import Fault, Proxy, proxied
from tests.client.recording import SIGNAL, STEPS, TRUTH
from tests.client.test_faults import cuts, faults
from tests.clients import kills
from tests.clients.node import Driver, driver, run

OPTIONS = {"logits": True, "emit": "every"}
HASTY = {"answerTimeout": 400, "connectTimeout": 1_000}


@pytest.fixture(scope="module")
def node() -> Iterator[Driver]:
    with driver() as started:
        yield started


@pytest.fixture(scope="module")
def proxy(toy_url: str) -> Iterator[Proxy]:
    with proxied(toy_url) as proxy:
        yield proxy


def check(predictions: list[dict[str, Any]], edges: list[int]) -> None:
    """Each chunk is answered once, in order; each of its steps as in the uninterrupted run."""
    assert [prediction["position"] for prediction in predictions] == edges[1:]
    for start, end, prediction in zip(edges[:-1], edges[1:], predictions, strict=True):
        logits = [step["logits"] for step in prediction["steps"]]
        assert logits == TRUTH[start:end].tolist()
        assert prediction["logits"] == logits[-1]


def test_its_units() -> None:
    run("--test", "client/tests/")


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(plan=st.lists(faults, max_size=4), cut=cuts, ahead=st.integers(1, 6), binary=st.booleans())
def test_any_faults_leave_each_answer_once_in_order(
    node: Driver, proxy: Proxy, plan: list[Fault], cut: list[int], ahead: int, binary: bool
) -> None:
    edges = [0, *cut, STEPS]
    proxy.faults.clear()
    proxy.faults.extend(plan)
    told = node.do(
        "stream",
        url=proxy.url,
        client=HASTY,
        signal=SIGNAL.tolist(),
        edges=edges,
        ahead=ahead,
        options=OPTIONS | {"binary": binary},
    )
    check(told["predictions"], edges)
    assert told["ended"] == STEPS


moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 9)),
        st.tuples(st.sampled_from(["receive", "disconnect", "restart"]), st.just(0)),
    ),
    max_size=20,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(plan=st.lists(faults, max_size=3), moves=moves, binary=st.booleans())
def test_any_interleaving_of_calls_and_faults(
    node: Driver, proxy: Proxy, plan: list[Fault], moves: list[tuple[str, int]], binary: bool
) -> None:
    proxy.faults.clear()
    proxy.faults.extend(plan)
    each: list[tuple[str, int]] = []
    for move in moves:  # who waits for an answer must be connected
        back = [("reconnect", 0)] if move[0] in ("receive", "restart") else []
        each += [*back, move]
    told = node.do(
        "talk",
        url=proxy.url,
        client=HASTY,
        signal=SIGNAL.tolist(),
        moves=each,
        options=OPTIONS | {"binary": binary},
    )
    check(told["predictions"], told["edges"])
    assert told["ended"] == STEPS


def test_what_has_come_is_received_after_the_stream_was_left(node: Driver, toy_url: str) -> None:
    edges = [0, 7, 20, STEPS]
    told = node.do("leave", url=toy_url, signal=SIGNAL.tolist(), edges=edges)
    assert told == {"positions": edges[1:], "read": STEPS, "unread": 0}


def test_samples_that_were_refused_are_not_lost(node: Driver, toy_url: str) -> None:
    told = node.do(
        "feed",
        url=toy_url,
        signal=SIGNAL.tolist(),
        pieces=[1, 30, 9, 1, 39, 40],
        options={**OPTIONS, "maxBufferedSteps": 20},
    )
    steps = [step["logits"] for each in told["predictions"] for step in each["steps"]]
    assert steps == TRUTH.tolist()
    assert told["refused"] > 0
    assert told["ended"] == STEPS


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_that_is_begun_is_filled_with_zeros(node: Driver, toy_url: str, count: int) -> None:
    told = node.do("fill", url=toy_url, samples=[1.0] * count, options={"logits": True})
    odd = count % 2
    assert told["told"] == [0, odd, odd, 0], "the toy has two channels"
    assert told["logits"][-1] == [(count + 1) // 2, count // 2, (count + 1) // 2]


@pytest.mark.parametrize("binary", [False, True])
def test_much_sound_at_once_goes_in_several_chunks(
    node: Driver, toy_url: str, binary: bool
) -> None:
    signal = np.resize(SIGNAL, (5_000, 2))
    options = {"logits": True, "binary": binary}
    told = node.do(
        "feed", url=toy_url, signal=signal.tolist(), pieces=[signal.size], options=options
    )
    assert [each["position"] for each in told["predictions"]] == [*range(512, 5_000, 512), 5_000]
    assert told["predictions"][-1]["logits"] == [*signal.sum(axis=0).tolist(), 5_000]


def test_streams_outlive_kills_of_the_service(node: Driver) -> None:
    figures = kills.measure(node, streams=10, kills=2)
    assert (figures.lost, figures.twice, figures.wrong) == (0, 0, 0)


def test_it_classifies_as_the_python_client_does(node: Driver, toy_url: str) -> None:
    one_length = SIGNAL.reshape(3, 20, 2).tolist()
    for sequences in (one_length, [SIGNAL[:7].tolist(), SIGNAL.tolist()]):
        told = node.do(
            "classify", url=toy_url, sequences=sequences, options={"model": "toy", "logits": True}
        )
        with Client(toy_url) as client:
            expected = client.classify([np.array(each) for each in sequences], logits=True)
        assert (told["model"], told["version"]) == (expected.model, expected.version)
        for found, wanted in zip(told["predictions"], expected.predictions, strict=True):
            assert found["label"] == wanted.label
            assert tuple(found["logits"]) == wanted.logits
            assert found["probabilities"] == wanted.probabilities


@pytest.fixture(scope="module")
def tasks_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Models whose outputs are of every task, in an order of their own; and one with context."""
    root = tmp_path_factory.mktemp("models")
    for name in ("sums", "signs", "chance", "grid"):
        many_outputs.publish(root, name, name)
    carried.publish(root)
    with live.running(models=root, model="sums") as url:
        yield url


@pytest.mark.parametrize("binary", [False, True])
def test_answers_are_what_their_tasks_say(node: Driver, tasks_url: str, binary: bool) -> None:
    steps = [[1, -2], [3, 4], [0.5, -1], [2, -9]]
    options = {"outputs": ["signs", "grid"], "emit": "every", "binary": binary}
    asked = {"url": tasks_url, "signal": steps, "edges": [0, 1, 4], "ahead": 1}
    streamed = node.do("stream", **asked, options=options)
    answer = streamed["predictions"][-1]
    asked = {"url": tasks_url, "sequences": [steps], "options": {"outputs": ["signs", "grid"]}}
    classified = node.do("classify", **asked)["predictions"][0]
    assert [output["task"] for output in streamed["opened"]["outputs"]][0] == "values"
    assert len(answer["steps"]) == 3
    for found in (answer, answer["steps"][-1], classified):
        assert found["values"] == {"left": 6.5, "right": -8.0}
        assert found["outputs"]["signs"]["probabilities"]["LEFT"] > 0.99
        assert found["outputs"]["grid"]["output"] == [[6.5], [-8.0]]


@pytest.mark.parametrize("emit", ["last", "every", 3])
def test_binary_answers_say_what_json_says(node: Driver, tasks_url: str, emit: str | int) -> None:
    names = [output.name for output in many_outputs.OUTPUTS]
    signal = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32).tolist()
    for name in ("sums", "signs", "chance", "grid"):
        told = []
        for binary in (False, True):
            further = [other for other in names if other != name]
            options = {"model": name, "outputs": further, "emit": emit, "logits": name == "signs"}
            asked = {"url": tasks_url, "signal": signal, "edges": [0, 1, 8, 20], "ahead": 3}
            found = node.do("stream", **asked, options=options | {"binary": binary})
            told.append([nearly(each | {"latency": 0}) for each in found["predictions"]])
        assert told[0] == told[1]


def nearly(prediction: dict[str, Any]) -> Any:
    """With twelve digits of each number: the last of a probability are those of an `exp`."""
    return json.loads(json.dumps(prediction), parse_float=lambda text: f"{float(text):.12g}")


@pytest.mark.parametrize("binary", [False, True])
def test_context_is_told_once(node: Driver, tasks_url: str, binary: bool) -> None:
    steps = np.array([[1], [0], [3], [2]], np.float32)
    context = {"gain": 0.5, "shift": [0.25, 2.75]}
    right = carried.expected(steps, 0.5, [0.25, 2.75])[0].tolist()
    options = {"model": "carried", "context": context}
    opened = node.do("open", url=tasks_url, which=options, name=f"told {binary}")
    for which in (options, {"resume": opened}):
        asked = {"url": tasks_url, "signal": steps.tolist(), "edges": [0, 2, 4], "ahead": 1}
        told = node.do("stream", **asked, options=which | {"binary": binary})["predictions"]
        assert [each["output"] for each in told] == [right[1], right[3]]
    for sequences in ([steps.tolist()], [steps.tolist(), steps[:2].tolist()]):
        asked = {"url": tasks_url, "sequences": sequences, "options": options}
        assert node.do("classify", **asked)["predictions"][0]["output"] == right[3]


def test_it_lists_models(node: Driver, toy_url: str) -> None:
    told = node.do("models", url=toy_url)
    assert told["default"] == "toy"
    assert told["models"][0]["outputs"][0]["task"] == "classes"


@pytest.mark.parametrize(
    ("job", "what", "error", "code"),
    [
        ("stream", {"options": {"model": "none"}}, "UnknownModel", "unknown_model"),
        ("stream", {"options": {"resume": "none"}}, "Unknown", "unknown"),
        ("classify", {"sequences": [[[1, 2, 3]]]}, "BadInput", "bad_shape"),
        ("classify", {"sequences": [[[1, 2]]], "options": {"outputs": ["no"]}}, "BadInput", None),
    ],
)
def test_what_the_service_refuses_is_thrown_at_once(
    node: Driver, toy_url: str, job: str, what: dict[str, Any], error: str, code: str | None
) -> None:
    more = {"signal": SIGNAL.tolist(), "edges": [0, STEPS], "ahead": 1} if job == "stream" else {}
    told = node.error(job, url=toy_url, **more, **what)
    assert told["error"] == error
    assert code is None or told["code"] == code


def test_who_answers_nothing_is_given_up(node: Driver) -> None:
    nobody = {"url": "http://127.0.0.1:1", "client": {"retryFor": 300}}
    assert node.error("models", **nobody)["error"] == "Unreachable"
    told = node.error("stream", **nobody, signal=[], edges=[0], ahead=1)
    assert told["error"] == "Unreachable"


def test_of_several_addresses_it_takes_the_next(node: Driver, toy_url: str) -> None:
    told = node.do("models", url=["http://127.0.0.1:1", toy_url])
    assert told["default"] == "toy"


@pytest.mark.parametrize("binary", [False, True])
def test_it_says_what_its_numbers_are(node: Driver, toy_url: str, binary: bool) -> None:
    said = {"units": "left=mg", "axes": "left=-right,right=left", "sampleRateHz": 50}
    sent = [[2, -1000], [-4, -3000], [6, 5000]]
    options = OPTIONS | {"measured": said, "binary": binary}
    told = node.do("stream", url=toy_url, signal=sent, edges=[0, 2, 3], ahead=1, options=options)
    assert told["predictions"][-1]["logits"] == pytest.approx([-1, 4, 3], abs=1e-5)
    assert told["opened"]["units"] == said["units"]
    for sequences in ([sent], [sent, sent[:1]]):
        asked = {"logits": True, "measured": said}
        answer = node.do("classify", url=toy_url, sequences=sequences, options=asked)
        assert answer["predictions"][0]["logits"] == pytest.approx([-1, 4, 3], abs=1e-5)
    stream = node.do(
        "open", url=toy_url, which={"measured": {"units": "mg"}}, name=f"measured {binary}"
    )
    refused = node.error(
        "stream",
        url=toy_url,
        signal=sent,
        edges=[0, 3],
        ahead=1,
        options={"resume": stream, "measured": {"units": "m/s²"}},
    )
    assert refused["code"] == "conflict"
