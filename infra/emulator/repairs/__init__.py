"""Repairs of ministack 1.5.33 in its running process: one module for each difference from AWS that matters here.

Every repair gets the module `ministack.app` before it serves, and exits if a name that it changes is missing. The
docstring of each names the upstream report or version that would make it superfluous; tests/emulator runs each test
on ministack as published too, where it must fail.
"""
