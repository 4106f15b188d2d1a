"""Blinded reading: the bundle that is handed out, its page, and what readers said, kept without losing a change."""
