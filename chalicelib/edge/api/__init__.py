"""Quay's REST API, most of it under /api/v1: one module per concept."""
