"""Messages through a broker, a bridge and the service, each of which breaks."""
