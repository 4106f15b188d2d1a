"""The cohort's report: one HTML file that needs nothing beside it.

``inputs`` reads the files of the stages before, ``content`` says what the report says as plain data, ``figures`` and
``overlay`` draw, ``build`` puts all of it into the templates.
"""
