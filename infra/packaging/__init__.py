"""Builds what Lambda runs: one zip of bytecode for one architecture, and the description of its functions."""
