"""A trial as a program, for tests that run it as another user or with fewer privileges.

Its argument is a folder to write to, its input the text of a submission; what the trial recorded is printed as JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.harness.trial.tiny import SPEC, run
from timetrial.harness.trial.arena import Arena


def main() -> None:
    import torch

    torch.set_num_threads(1)
    arena, folder = Arena(SPEC, None), Path(sys.argv[1]) / "trial"
    result = run(sys.stdin.read(), arena, folder)
    log = folder / "trainee.log"
    print(json.dumps(asdict(result) | {"said": log.read_text() if log.exists() else ""}))


if __name__ == "__main__":
    main()
