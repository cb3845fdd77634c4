"""The text of an edited draft: only what was edited differs from the source."""
