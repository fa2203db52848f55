"""Starting a run: from overrides to a folder with its plan, and the place where its trials are to run."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.plan import add_reference, check_space, plan_trials, submission_list
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.runs.execute import Place, read_place, states_of
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.trial_state import TrialState


@dataclass(frozen=True)
class Start:
    """A run whose plan is written, and where its trials are to run."""

    run: RunFolder
    plan: list[TrialSpec]
    place: Place

    def states(self) -> list[TrialState]:
        """Say how the trials of the plan stand."""
        return states_of(self.run, self.plan)

    def sum_up(self) -> str:
        """Count how the trials of the plan stand, in a line."""
        counts = Counter(state.status or state.state for state in self.states())
        return f"{self.run.name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def start(overrides: Sequence[str]) -> Start:
    """Plan the trials that overrides of `configs/config.yaml` ask for, and write the plan into the run's folder."""
    config = compose(list(overrides))
    place = read_place(config)
    run = RunFolder((RUNS / str(config["run"])).resolve())
    found = [run.find(typed, config["space"]) for typed in submission_list(config["submission"])]
    check_space(config, [folder for folder, _, _ in found])
    for note in (note for _, _, note in found if note):
        print(f"note: {note}: {run.name} goes on with the source that it keeps; run=NAME starts anew", file=sys.stderr)
    for unsigned in (folder.unsigned for folder, _, _ in found):
        if unsigned:
            print(f"note: {unsigned}", file=sys.stderr)
    plan = plan_trials(config, {folder: source_hash for folder, source_hash, _ in found}, place.device, place.threads)
    plan = add_reference(config, plan, place.device, place.threads)
    run.add(plan)
    return Start(run, plan, place)
