"""Bring an ONNX file that others made: `import_graph` makes a version of it. It needs no torch."""

from larnn_export.importing.importer import import_graph as import_graph
from larnn_export.importing.options import Options as Options
