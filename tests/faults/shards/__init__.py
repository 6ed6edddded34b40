"""What live streams cost a cluster: its replicas and the servers of its store."""
