"""Samples of the steps before, put in front of each step: the last ones are a state."""

from __future__ import annotations

import numpy as np

from larnn_export.importing.fitted import OVERLAP
from larnn_export.wrapping.nodes import Nodes
from larnn_service.contract import INPUT, LENGTHS


def write_overlap(nodes: Nodes, overlap: int, new: int) -> str:
    """x [batch, steps, new] → [batch, steps, overlap + new], and the next overlap."""
    samples = nodes.add("Concat", OVERLAP, nodes.reshape(INPUT, [0, -1]), axis=1)
    steps = nodes.add("Gather", nodes.add("Shape", INPUT), nodes.constant(1), axis=0)
    starts = nodes.add("Range", nodes.constant(0), steps, nodes.constant(1))
    starts = nodes.reshape(nodes.add("Mul", starts, nodes.constant(new)), [-1, 1])
    places = nodes.add("Add", starts, nodes.constant(np.arange(overlap + new)[None]))
    ends = nodes.reshape(nodes.add("Mul", LENGTHS, nodes.constant(new)), [-1, 1])
    last = nodes.add("Add", ends, nodes.constant(np.arange(overlap)[None]))
    nodes.add("GatherElements", samples, last, axis=1, name=f"next_{OVERLAP}")
    return nodes.add("Gather", samples, places, axis=1)
