"""The upload relay: it takes bodies of any size, and sends them to S3 in parts, past the gateway's limit.

It knows the registry only over HTTP, and of its code only the values and rules of `chalicelib.domain`.
"""
