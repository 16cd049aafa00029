"""Lists, search, stars and health."""
