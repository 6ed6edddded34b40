"""From the numbers that a client has to those that a model takes: units, signs, order."""
