"""The tools of the server, by what they look at. All of them only read."""
