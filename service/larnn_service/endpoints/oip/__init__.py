"""The Open Inference Protocol, version 2, as NVIDIA Triton extends it: REST under /v2, and gRPC."""
