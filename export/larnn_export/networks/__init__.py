"""Networks by one interface: state in, state out."""

from larnn_export.families import NetworkConfig
from larnn_export.networks.novelty import WithNovelty
from larnn_export.networks.raw import RawClassifier
from larnn_export.networks.stack import RecurrentClassifier

Plain = RecurrentClassifier | RawClassifier
Network = Plain | WithNovelty
"""One of these, or one that tells novelty beside."""

__all__ = [
    "Network",
    "NetworkConfig",
    "Plain",
    "RawClassifier",
    "RecurrentClassifier",
    "WithNovelty",
]
