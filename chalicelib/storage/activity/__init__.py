"""Rows and stores of the room `activity`."""
