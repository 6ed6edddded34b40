"""The figures about speed, each by one command: python -m benchmarks NAME."""
