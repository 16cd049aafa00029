"""Tests of all operations of the API: who may use each, and whether each follows its document."""
