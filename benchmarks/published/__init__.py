"""Every published table, by the name of its result in benchmarks/results/."""

from __future__ import annotations

from benchmarks.published import faults, networks, speed

TABLES = faults.TABLES | networks.TABLES | speed.TABLES
