"""Every published table, by the name of its result in benchmarks/results/."""

from __future__ import annotations

from benchmarks.published import faults, goals, networks, runs, size, speed

TABLES = faults.TABLES | goals.TABLES | networks.TABLES | runs.TABLES | size.TABLES | speed.TABLES
