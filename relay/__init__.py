"""The upload relay: bodies of any size, in parts, past the gateway that could not take them.

It knows the registry only over HTTP, and of its code only the values and rules of `chalicelib.domain`.
"""
