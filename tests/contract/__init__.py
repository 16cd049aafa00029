"""One long conversation with the API, written down: what is asked, and the status, shape and words of each answer.

The answers were held against what a running Quay said to the same questions; where ours differ on purpose,
docs/compatibility.md says why. `python -m tests.contract` writes the answers down anew.
"""
