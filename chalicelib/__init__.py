"""The house: edge -> wiring -> services -> storage | remote -> domain. ARCHITECTURE.md has the picture."""
