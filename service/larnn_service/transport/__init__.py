"""Bytes in, bytes out: our HTTP and websocket protocols, and the way in from an ASGI server."""
