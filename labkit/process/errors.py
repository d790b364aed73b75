"""The one exception for mistakes that a person can mend."""


class InputError(ValueError):
    """Bad input. The message names the file, the key, the value and the remedy, in one or two lines."""
