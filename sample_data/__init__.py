"""The sample session, drawn on the spot."""
