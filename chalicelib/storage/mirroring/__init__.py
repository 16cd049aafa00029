"""Stores mirrors and their runs."""
