"""Rows and stores of the room `lifecycle`."""
