"""Every published table, by the name of its result in benchmarks/results/."""

from __future__ import annotations

from benchmarks.published import faults, networks, size, speed

TABLES = faults.TABLES | networks.TABLES | size.TABLES | speed.TABLES
