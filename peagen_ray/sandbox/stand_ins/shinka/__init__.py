"""Stands in for ShinkaEvolve: what evaluation scripts import, and nothing else."""
