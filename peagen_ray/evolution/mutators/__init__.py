"""Mutators: what proposes a change to a program."""
