"""Fidelity to the Messages API: what it refuses, what it sends, event by event. Import the modules themselves."""
