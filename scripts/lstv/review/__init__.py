"""Blinded reading, and the local web app.

Reading: the bundle that is handed out, its page, and what readers said, kept without losing a change (``store``).

The app: ``analysis`` is the analysis of one study without the web, ``limits`` what may be given to it, and ``child`` runs it
in a process of its own.
"""
