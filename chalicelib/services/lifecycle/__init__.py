"""How tags end, come back and go for good, and what frees their bytes."""
