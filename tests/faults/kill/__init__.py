"""Live streams while replicas are killed, one is paused and the store is restarted."""
