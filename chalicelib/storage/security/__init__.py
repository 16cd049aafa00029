"""Rows and stores of the room `security`."""
