"""Defines what all keys share: their type, the sort key of single rows, and the number of shards."""

Key = tuple[str, str]
META = "META"
SHARDS = 8
