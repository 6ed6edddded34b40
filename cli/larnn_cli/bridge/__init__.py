"""From a broker's topics to streams and back, each step once: docs/bridge.md."""
