"""Pure functions between bytes and arrays or messages. No input or output, no engine."""
