"""Errors whose text is meant for the user: one sentence that names the thing, what is wrong and the fix."""


class UserError(Exception):
    """Bad configuration, file or environment; a program prints the text and ends with status 2."""


class StudyError(Exception):
    """One study cannot be used; its text becomes the ``reason`` of that study and the others go on."""


class CheckpointError(UserError):
    """The checkpoint is missing, not a state dict, unsafe, or of another network."""
