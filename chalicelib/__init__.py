"""The registry: edge -> wiring -> services -> storage | remote -> domain. ARCHITECTURE.md describes the layers."""

# The version is defined only here. `make run`, `/config`, the relay and the package show it; pyproject.toml reads it.
__version__ = "0.1.0"
