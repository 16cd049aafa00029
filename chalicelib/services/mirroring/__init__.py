"""Mirrors: repositories that are copied from other registries."""
