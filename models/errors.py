"""Mistakes in what the user gave, told in one message."""


class InputError(Exception):
    """A file, a model or a setting is not as it must be; the message names it, its value and what is allowed."""
