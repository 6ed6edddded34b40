"""Networks by one interface: state in, state out."""

from export.networks.config import NetworkConfig
from export.networks.stack import RecurrentClassifier

__all__ = ["NetworkConfig", "RecurrentClassifier"]
