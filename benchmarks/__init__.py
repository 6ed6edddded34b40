"""The figures about speed, each by one command: python -m benchmarks NAME."""

import sys
from pathlib import Path

# The client library as it stands in this tree, installed or not.
for _folder in ("service", "export", "cli", "client/src"):
    sys.path.insert(0, str(Path(__file__).parent.parent / _folder))
