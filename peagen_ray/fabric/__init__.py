"""The fabric: claims tasks, runs each one's handler in a process of its own, and completes them."""
