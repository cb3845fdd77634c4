"""Where Results are kept for people: the port (`base`) and one file per back-end."""
