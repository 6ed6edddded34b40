"""Where models come from that are in no folder: buckets, the Hugging Face Hub, MLflow."""
