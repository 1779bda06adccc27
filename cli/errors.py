"""What ends a command at once, with exit code 2. What goes wrong with one file is a `Failed` value, not an error.

CommandFault
├── InvalidArgument    what the user gave cannot be meant
├── Unreachable        no answer from the server, however often it was asked
├── Refused            an answer that no repetition changes: not let in, no such service, a search that is wrong
└── CannotWrite        the disk does not take what was retrieved

Stopped                the user ended the command: what is under way is dropped
"""


class CommandFault(Exception):
    """Base of all errors that end a command; the message says what was expected."""


class InvalidArgument(CommandFault):
    pass


class Unreachable(CommandFault):
    pass


class Refused(CommandFault):
    """Attributes: status: the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class CannotWrite(CommandFault):
    pass


class Stopped(Exception):
    pass
