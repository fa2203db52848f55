"""`timetrial` with checkpoints every few evaluations: trials of a test are too short for one every ten seconds."""

import sys

from timetrial.harness import cli
from timetrial.harness.runs import slot_process

slot_process.COMMAND = (
    "import timetrial.harness.trial.referee as r; r.CHECKPOINT_SECONDS = 0.05; "
    "from timetrial.harness.runs.slot import main; main()"
)

if __name__ == "__main__":
    sys.exit(cli.main())
