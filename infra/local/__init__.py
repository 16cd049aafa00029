"""The local stack: bootstrap runs installation, and supervisor runs the servers, the seed and the gateway workers."""
