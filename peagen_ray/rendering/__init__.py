"""Rendering: from a project file to the plan of its outputs, from the plan to tasks, from their Results to files."""
