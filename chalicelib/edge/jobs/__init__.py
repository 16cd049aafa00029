"""What comes by the clock, a queue or the stream: one module a job."""
