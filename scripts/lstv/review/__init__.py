"""Blinded reading, and the local web app.

Reading: the bundle that is handed out (``bundle``), its page (``page``), and what readers said, kept without losing a change
(``store``).

The app (``app``): ``analysis`` is the analysis of one study without the web, ``limits`` what may be given to it, ``child``
runs it in a process of its own, and ``jobs`` one after another. ``doors`` decides who may ask for what, ``uploads`` and
``workspace`` keep what is given and remove it. ``cohort_files`` are the results that are shown, ``reading_cases`` the
reading of their queue; ``*_pages`` have the addresses.
"""
