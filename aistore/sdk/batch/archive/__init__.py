"""Archives as streams: members are handed out as they arrive, and nothing is extracted by name."""
