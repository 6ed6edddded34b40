"""Cores by the quota of a control group, of both versions, not by the machine alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from larnn_service.cores import cores

MACHINE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "allowed"),
    [("max 100000", MACHINE), ("100000 100000", 1), ("50000 100000", 1), ("110000 100000", 2)],
)
def test_a_quota_of_version_2_bounds_them(tmp_path: Path, quota: str, allowed: int) -> None:
    (tmp_path / "pod/container").mkdir(parents=True)
    (tmp_path / "pod/cpu.max").write_text(quota)
    (tmp_path / "pod/container/cpu.max").write_text("max 100000")
    own = tmp_path / "own"
    own.write_text("0::/pod/container\n")
    assert cores(tmp_path, own) == min(allowed, MACHINE)


@pytest.mark.parametrize(("quota", "allowed"), [("-1", MACHINE), ("100000", 1)])
def test_so_does_one_of_version_1(tmp_path: Path, quota: str, allowed: int) -> None:
    group = tmp_path / "cpu/pod"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text(quota)
    (group / "cpu.cfs_period_us").write_text("100000")
    own = tmp_path / "own"
    own.write_text("4:memory:/pod\n3:cpu,cpuacct:/pod\n")
    assert cores(tmp_path, own) == allowed


def test_without_control_groups_they_are_those_it_may_run_on(tmp_path: Path) -> None:
    assert cores(tmp_path, tmp_path / "none") == MACHINE
    (tmp_path / "own").write_text("0::/somewhere/else\n")
    assert cores(tmp_path, tmp_path / "own") == MACHINE
