"""Checks of a registry that was just deployed, for questions that only a real deployment can answer.

`python -m infra.smoke URL` pushes and pulls small images, compares the answers with claims, and deletes everything
again. Each subject has a module; `suite.py` lists them all.
"""
