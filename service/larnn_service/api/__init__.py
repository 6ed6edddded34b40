"""The web's side: one file per door, no logic."""
