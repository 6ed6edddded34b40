"""Remaining useful life: a made-up machine wears out, and a network tells how many hours it has."""
