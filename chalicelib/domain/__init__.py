"""Values and rules. This package imports the standard library only and does no I/O."""
