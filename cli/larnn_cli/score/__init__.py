"""`larnn score`: recordings in Parquet through a model, and the answers to Parquet.

`pieces.py` reads a file piece by piece, `run.py` runs pieces of many recordings side by side, each
from the state in which its own last piece left it, `answers.py` makes columns of what comes out,
`output.py` writes them, and `scorer.py` is the loop around all of it.
"""
