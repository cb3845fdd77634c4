"""The composition root: reads what is asked, builds the parts, runs the loop."""
