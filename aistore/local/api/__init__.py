"""HTTP: one router per noun, and what they share. See `registry` for how a router plugs in."""
