"""Quay's REST API under /api/v1, and what stands beside it: one module a concept."""
