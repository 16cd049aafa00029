"""Rows and stores of the room `catalog`."""
