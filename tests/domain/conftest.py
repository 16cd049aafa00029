"""Hypothesis on machines that are busy: no example fails for being slow, and none is remembered on disk."""

from hypothesis import settings

settings.register_profile("backend", deadline=None, database=None)
settings.load_profile("backend")
