"""All operations of the API at once: who may what, and whether each does what its document says."""
