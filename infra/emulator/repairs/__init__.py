"""What ministack 1.5.33 does otherwise than AWS and matters here, mended in its running process, one module each.

Every repair takes the module `ministack.app` before it serves, and refuses a version that lacks what it changes.
"""
