"""The exceptions for mistakes that a person can mend."""

from labkit.process.credentials import without_credentials


class InputError(ValueError):
    """Bad input. The message names the file, the key, the value and the remedy, in one or two lines.

    It is published: in the journal, MLflow and the summary of a run. So no credentials stay in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_credentials(message))


class SecretError(InputError):
    """A value that no message may show. The message tells what is wrong with it, without the value."""
