"""The one exception for a mistake of a person, as opposed to a fault of the program."""


class UsageError(Exception):
    """What is wrong, where it stands and what to do, in one line.

    The command line prints it without a traceback and exits with code 2.
    """
