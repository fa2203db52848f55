"""The machine of TimeTrial: plan, executors, referee, trainee, clock, records, scoring, report, command line.

Importing this package does not import torch.
"""


class UsageError(Exception):
    """A mistake of a person: what is wrong, where it stands and what to do, in one line.

    The command line prints it without a traceback and exits with code 2.
    """
