"""The onnxruntime library with the operators larnn.LarnnLayer and larnn.lstm.LstmLayer."""

from importlib.resources import files

LIBRARY = str(files(__name__) / "liblarnn_kernels.so")
"""For `onnxruntime.SessionOptions.register_custom_ops_library`."""
