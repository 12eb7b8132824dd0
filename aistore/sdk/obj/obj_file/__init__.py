"""Objects as Python file objects."""
