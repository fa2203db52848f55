"""`timetrial` with checkpoints every few evaluations: trials of a test are too short for one every ten seconds."""

import sys

from harness import cli
from harness.runs import slot_process

slot_process.COMMAND = (
    "import harness.trial.referee as r; r.CHECKPOINT_SECONDS = 0.05; from harness.runs.slot import main; main()"
)

if __name__ == "__main__":
    sys.exit(cli.main())
