"""The inference service: what runs in production. It reads models/ and never imports torch."""

__version__ = "0.1.0"
