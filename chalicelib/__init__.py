"""The house: edge -> wiring -> services -> storage | remote -> domain. ARCHITECTURE.md has the picture."""

# The one place of the version: shown by `make run`, `/config`, the relay and the package; pyproject.toml reads it here.
__version__ = "0.1.0"
