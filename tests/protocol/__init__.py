"""Tests of the registry as a black box, over HTTP only."""
