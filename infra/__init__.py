"""Runs the registry on AWS (terraform, packaging, smoke), on a laptop (local) and on an emulated AWS (emulator)."""
