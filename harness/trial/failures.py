"""How a trial ends by the trainee's doing."""

REASON_LIMIT, TRACEBACK_LIMIT = 500, 20_000
"""Characters of what a trainee says about its end that are kept."""


class TrialFailure(Exception):
    """The trial has ended by the trainee's fault, with a status, a reason in a line and perhaps a traceback."""

    def __init__(self, status: str, reason: str, traceback: str | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason = status, printable(" ".join(reason.split())[:REASON_LIMIT])
        self.traceback = None if traceback is None else printable(traceback[-TRACEBACK_LIMIT:])


class TraineeKilled(TrialFailure):
    """The trainee was killed. Nobody can tell by whom, so it has crashed, unless the trial was asked to stop anyway."""

    def __init__(self) -> None:
        super().__init__("crashed", "the trainee was killed")


def printable(text: str) -> str:
    """Replace what a terminal would obey, or a file could not hold."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
