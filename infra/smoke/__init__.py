"""The first checks against a registry that was just deployed: what could not be known before there was one.

`python -m infra.smoke URL` pushes and pulls small things, holds each claim against what came back, and takes everything
away again. One module for each theme; `suite.py` names them all.
"""
