"""The usage log: written, read, exported, and pulls counted from it."""
