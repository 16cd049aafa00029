"""What every key is made of."""

Key = tuple[str, str]
META = "META"
SHARDS = 8
