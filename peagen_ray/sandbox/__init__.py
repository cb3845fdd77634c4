"""Sandboxes: where untrusted programs run, and how they are measured."""
