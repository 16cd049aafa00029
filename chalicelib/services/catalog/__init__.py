"""Lists of repositories, search, stars and health."""
