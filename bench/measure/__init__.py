"""What the benchmarks share: the machine, the servers, the generator."""
