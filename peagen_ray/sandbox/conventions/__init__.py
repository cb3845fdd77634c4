"""What runs in a guest when somebody's own evaluator judges a candidate: one module for each convention on disk."""
