"""Programs that use what this repository makes."""
