"""What an installation costs, from counted calls and list prices: `python -m infra.cost` writes docs/cost.md."""
