"""The registry seen from outside: HTTP and nothing else."""
