"""A recorded conversation with the API: the requests, and the status, shape and messages of each answer.

The answers were compared with those of a running Quay to the same requests; where ours differ on purpose,
docs/compatibility.md says why. `python -m tests.contract` records the answers again.
"""
