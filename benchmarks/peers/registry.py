"""Every peer, in the order of the tables."""

from __future__ import annotations

from benchmarks.peers.base import Peer
from benchmarks.peers.bentoml import BentoML
from benchmarks.peers.fastapi import FastAPI
from benchmarks.peers.kserve import KServe
from benchmarks.peers.litserve import LitServe
from benchmarks.peers.mlserver import MLServer
from benchmarks.peers.ours import OneProcess, Ours, WithoutOperator
from benchmarks.peers.pytriton import PyTriton
from benchmarks.peers.rayserve import RayServe
from benchmarks.peers.sherpa import Sherpa
from benchmarks.peers.torchserve import TorchServe
from benchmarks.peers.triton import Triton

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Ours(),
        WithoutOperator(),
        OneProcess(),
        FastAPI(),
        MLServer(),
        Triton(),
        PyTriton(),
        LitServe(),
        KServe(),
        BentoML(),
        TorchServe(),
        RayServe(),
    )
}
SHERPA = Sherpa()
"""No server: it is measured beside an imported network alone."""
