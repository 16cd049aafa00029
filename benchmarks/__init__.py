"""Measures speed and memory: `python -m benchmarks` beside a peer, `python -m benchmarks.soak` with large layers.

__main__    the command line and the order of a run
stacks      what is measured: our stack, a peer, the object store below both
rounds      alternating turns of both sides, and what each cost in CPU
measures    one function for each thing measured
client      the distribution API over http.client
load        many keep-alive connections from one thread
processes   memory and CPU of process trees, from /proc
bodies      layers whose bytes are generated while they are sent
report      the tables
soak        layers of gigabytes, and a ceiling on our memory
"""
