"""ministack, the emulator of AWS: `emulator` starts it, `__main__` is what its own Python runs, `repairs` mend it."""
