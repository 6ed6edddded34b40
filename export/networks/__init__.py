"""Networks by one interface: state in, state out."""

from export.networks.config import NetworkConfig
from export.networks.raw import RawClassifier
from export.networks.stack import RecurrentClassifier

Network = RecurrentClassifier | RawClassifier

__all__ = ["Network", "NetworkConfig", "RawClassifier", "RecurrentClassifier"]
