"""Short trials in a temporary folder, through the real referee: what `check` and `doctor` look at."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.source import read_source
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import Result, TrialFolder


def run_briefly(
    specs: Sequence[TrialSpec], data_root: Path | None = None
) -> Iterator[tuple[TrialSpec, Result | UsageError]]:
    """Run trials one after the other and keep nothing; data that are missing come as the `UsageError` they are."""
    import torch  # takes a second, which `--help` need not pay

    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.forkserver import prepare_forkserver
    from timetrial.harness.trial.referee import run_trial

    folders = {spec.submission: find_submission(spec.submission) for spec in specs}
    prepare_forkserver(specs)
    arenas: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="timetrial-probe-") as place:
        for number, spec in enumerate(specs):
            torch.set_num_threads(spec.threads)
            key = json.dumps(asdict(spec.workload), sort_keys=True)
            try:
                arena = arenas[key] = arenas.get(key) or Arena(spec, data_root)
            except UsageError as error:
                yield spec, error
                continue
            folder = TrialFolder(Path(place) / str(number))
            folder.write_spec(spec)
            found = folders[spec.submission]
            source = read_source(spec.submission, found.source_files(), found.imports)
            yield spec, run_trial(spec, source, arena, folder)
