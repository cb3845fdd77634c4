"""What a run looks like afterwards: tables, plots, and one page that tells all of it."""
