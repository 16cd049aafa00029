"""Settings of Hypothesis: examples have no deadline, since machines may be busy, and are not stored on disk."""

from hypothesis import settings

settings.register_profile("backend", deadline=None, database=None)
settings.load_profile("backend")
