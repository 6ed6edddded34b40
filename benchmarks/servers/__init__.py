"""What runs inside the peers' environments; nothing here imports the project."""
