"""Each attack for a moment: the service stays, its memory too, and a bystander is answered rightly.

How long the bystander waits depends on the machine: `make attack` measures it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import live
from tests.faults.attack.attacks import ATTACKS, Attack
from tests.faults.attack.harness import ALLOWANCE, LIMITS, MIB, attacked, errors_of

SECONDS = 0.4
LONGEST = 10_000.0
"""Milliseconds: no attack stops the service, however busy the machine is."""
MOST = 2 * ALLOWANCE / MIB
"""MiB more: what stays for how long is `make attack`'s to say."""
FEW = ("the smallest of chunks", "fragments of no byte", "bodies that are never whole")


@pytest.fixture(scope="module")
def service(toy_models: Path) -> Iterator[live.Process]:
    with live.process(models=toy_models, model="toy", grpc_port=0, **LIMITS) as process:
        with errors_of(process) as log:
            yield process
        assert not log


@pytest.fixture(scope="module")
def workers(toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Process]:
    store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'streams.db'}"
    settings = LIMITS | {"workers": 2, "store": store, "kernels_level": "none"}
    with live.process(models=toy_models, model="toy", **settings) as process:
        with errors_of(process) as log:
            yield process
        assert not log


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_harms_nobody(service: live.Process, attack: Attack) -> None:
    result = attacked(service, attack, SECONDS)
    assert result.most - result.before < MOST
    assert max(result.request_longest, result.chunk_longest) < LONGEST


@pytest.mark.parametrize("name", FEW)
def test_nor_does_it_harm_several_workers(workers: live.Process, name: str) -> None:
    [attack] = [attack for attack in ATTACKS if attack.name == name]
    result = attacked(workers, attack, SECONDS)
    assert result.most - result.before < MOST
    assert max(result.request_longest, result.chunk_longest) < LONGEST
