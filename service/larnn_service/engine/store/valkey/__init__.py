"""A store that replicas share: Valkey or Redis, alone, behind Sentinels, or as a cluster."""
