"""Rows and stores of the room `registry`."""
