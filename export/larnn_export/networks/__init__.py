"""Networks by one interface: state in, state out."""

from larnn_export.families import NetworkConfig
from larnn_export.networks.raw import RawClassifier
from larnn_export.networks.stack import RecurrentClassifier

Network = RecurrentClassifier | RawClassifier

__all__ = ["Network", "NetworkConfig", "RawClassifier", "RecurrentClassifier"]
