"""Contract suites, shipped so that a plugin's author proves the plugin by subclassing one; need pytest."""
