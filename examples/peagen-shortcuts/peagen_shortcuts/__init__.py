"""A mutator and a parent selector for peagen-ray."""
