"""Workloads: what inputs are, what correct means, and how values are compared and carried."""
