"""A normal form of functions, and matching modulo that form, for the bigger rewrites."""
