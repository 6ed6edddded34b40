"""PyTriton 0.7: Triton as its users run it, its proxy between the server and their function.

The proxy hands each batch, through shared memory, from Triton's processes to PyTriton's own, where
a thread for each core runs the function.
"""

from __future__ import annotations

from benchmarks.peers.base import Place, Start, module
from benchmarks.peers.triton import Triton


class PyTriton(Triton):
    name = "pytriton"
    environment = Triton.name

    def start(self, place: Place) -> Start:
        return module(place, "pytriton", PYTRITON_HOME=str(place.folder))
