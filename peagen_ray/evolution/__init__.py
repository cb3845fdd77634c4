"""Evolution: pure decisions over programs, with time and randomness injected."""
