"""The process around the service: the server, its workers, signals and sockets."""
