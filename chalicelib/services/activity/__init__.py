"""Writes, reads and exports the usage log, and counts pulls from it."""
