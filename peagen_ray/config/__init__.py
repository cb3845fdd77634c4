"""Configuration: one model with every default, read from flags, environment and file."""
