"""`larnn score`: recordings in Parquet through a model, and the answers to Parquet.

`pieces.py` reads a file piece by piece, `run.py` runs pieces of many recordings side by side, each
from the state in which its own last piece left it, `output.py` writes what comes out, as columns of
the service's `answer_columns.py`, and `scorer.py` is the loop around all of it.
"""
