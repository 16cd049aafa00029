"""Two ways to stand the house up: on AWS (terraform) and on a laptop (local)."""
