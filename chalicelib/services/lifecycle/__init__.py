"""Ends, restores and finally removes tags, and frees their bytes."""
