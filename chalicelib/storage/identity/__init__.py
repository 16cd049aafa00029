"""Rows and stores of the room `identity`."""
