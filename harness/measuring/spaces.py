"""Where the best points of the search spaces lie: inside the ranges, or at an edge that cuts better ones off.

For each submission the first `POINTS` points of its space are trained on each workload for the workload's step hint,
in this process and counted in steps, so that a loaded machine changes nothing. `horizon` is left at 1: all points have
the same steps. The best fifth are those that get furthest, at saturation those that get there first; the summary says
where they lie in each range (0: its lower edge, 1: its upper) or among the choices.
"""

import argparse
import importlib
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.planning.plan import select_workloads, submission_list
from timetrial.harness.planning.search_space import HORIZON, Choices, Hyperparameters, Range, SearchSpace
from timetrial.harness.planning.spec import WorkloadSpec

POINTS = 16
OUTPUT = RESULTS / "calibration" / "spaces" / "spaces.csv"
EVALUATIONS = 4
BEST = 0.2
EDGE = 0.2
"""Where the middle one of the best lies nearer to an edge than this share of the range, the range should move."""

Row = dict[str, Any]


class Track:
    """A workload on the CPU with its training and validation data, on which points are trained one after the other."""

    def __init__(self, spec: WorkloadSpec, kind: str, root: Path | None) -> None:
        from timetrial.harness.trial.arena import make_workload
        from timetrial.harness.workload import DataSource

        self.spec = spec
        self.workload = make_workload(spec, None)
        self.training, self.validation = (
            self.workload.load(split, DataSource(kind, root)) for split in ("train", "validation")
        )

    def train(self, submission: str, hyperparameters: Hyperparameters) -> list[tuple[int, float]]:
        """Train for the step hint; gives (step, validation metric) at `EVALUATIONS` points, fewer where it diverges."""
        import torch

        from timetrial.harness.submission import Task, build_submission
        from timetrial.harness.trial.batches import BatchStream
        from timetrial.harness.trial.elapsed import ElapsedSeconds

        torch.manual_seed(0)
        device = torch.device("cpu")
        model = self.workload.build_model(torch.Generator().manual_seed(0)).train()
        examples = self.workload.examples(self.training)
        stream = BatchStream(self.workload, examples, device, seed=0)
        stream.open(self.training)
        task = Task(
            step_hint=self.spec.step_hint,
            batch_size=self.workload.batch_size,
            training_examples=examples,
            budget_seconds=self.spec.budget_seconds,
            device=device,
            generator=torch.Generator().manual_seed(0),
            roles=self.workload.parameter_roles(model),
            loss=self.workload.loss,
            next_batch=stream.next,
            elapsed_seconds=ElapsedSeconds(),
        )
        code = importlib.import_module(f"timetrial.submissions.{submission}.submission")
        seen: list[tuple[int, float]] = []
        try:
            running = build_submission(code, model, hyperparameters, task)
            for step in range(1, self.spec.step_hint + 1):
                running.training_step(stream.next())
                if step * EVALUATIONS // self.spec.step_hint > len(seen):
                    with running.prepare_for_evaluation(), torch.inference_mode():
                        value = self.workload.evaluate(model.eval(), self.validation)[self.workload.metric]
                    model.train()
                    if not math.isfinite(value) or not all(p.isfinite().all() for p in model.parameters()):
                        break
                    seen.append((step, value))
        except (ArithmeticError, RuntimeError, ValueError):
            pass  # an algorithm that gives up at this point has diverged, for what is asked here
        return seen


def measure(track: Track, submission: str, points: int) -> list[Row]:
    """Train the first `points` points of a space; gives a row for each: point, best metric, its step, and rank from 0.

    A point that diverged has None for its metric, and no rank.
    """
    space = _space(submission)
    sign = 1 if track.workload.higher_is_better else -1
    rows: list[Row] = []
    for point in space.draw(0, points):
        seen = track.train(submission, point)
        step, value = max(seen, key=lambda pair: (sign * pair[1], -pair[0]), default=(None, None))
        rows.append({"point": point, "best": value, "step": step})
    finished = sorted((r for r in rows if r["best"] is not None), key=lambda r: (-sign * r["best"], r["step"]))
    for rank, row in enumerate(finished):
        row["rank"] = rank
    return rows


def position(axis: Range | Choices, name: str, point: Hyperparameters) -> float:
    """Give where a point lies on an axis, from 0 to 1; for choices it is the number of the choice."""
    if isinstance(axis, Choices):
        return axis.values.index(point[name])
    value = point[name] * (1.0 if axis.per is None else point[axis.per])
    scale = math.log if axis.scaling == "log" else float
    return (scale(value) - scale(axis.min)) / (scale(axis.max) - scale(axis.min))


def summarize(space: SearchSpace, rows: list[Row]) -> Iterator[Row]:
    """Say for each axis where the best fifth of `rows`, the points of one workload, lie.

    Columns: hyperparameter, points, diverged, low, middle and high (positions of the best on a range), verdict; for
    choices the verdict counts how often each was among the best.
    """
    best = [row for row in rows if "rank" in row and row["rank"] < max(1, round(BEST * len(rows)))]
    for name, axis in space.axes.items():
        if name == HORIZON:
            continue
        places = sorted(position(axis, name, row["point"]) for row in best)
        row = {"hyperparameter": name, "points": len(rows), "diverged": sum("rank" not in row for row in rows)}
        if isinstance(axis, Choices):
            counts = [f"{value} {places.count(i)}" for i, value in enumerate(axis.values)]
            yield {**row, "low": None, "middle": None, "high": None, "verdict": ", ".join(counts)}
        elif not places:
            yield {**row, "low": None, "middle": None, "high": None, "verdict": "all diverged"}
        else:
            middle = statistics.median(places)
            verdict = "low edge" if middle < EDGE else "high edge" if middle > 1 - EDGE else "inside"
            yield {**row, "low": places[0], "middle": middle, "high": places[-1], "verdict": verdict}


def _space(submission: str) -> SearchSpace:
    space = find_submission(submission).search_space
    if space is None or not space.axes:
        raise UsageError(f"submission {submission!r} has no search space with axes: leave it out")
    return space


def main() -> int:
    import pandas
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m timetrial.harness.measuring.spaces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m timetrial.harness.measuring.spaces submission=[adamw,lion] suite=mini "
        "workloads=[fashion_mnist_mlp] suite.workloads.fashion_mnist_mlp.step_hint=300 data_root=DIR",
    )
    parser.add_argument("overrides", nargs="+", metavar="key=value", help="as of timetrial run; needs submission=")
    parser.add_argument("--points", type=int, default=POINTS, help=f"points of each space, {POINTS} by default")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the summary goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        config = compose(options.overrides)
        names = submission_list(config["submission"])
        spaces = {name: _space(name) for name in names}
        root = config["data_root"] and Path(config["data_root"])
        tracks = [Track(spec, config["data"], root) for spec in select_workloads(config)]
        summary: list[Row] = []
        for name in names:
            for track in tracks:
                found = summarize(spaces[name], measure(track, name, options.points))
                summary += [{"submission": name, "workload": track.spec.name, **row} for row in found]
            table = pandas.DataFrame(summary)
            table.to_csv(options.output, index=False, float_format="%.3g")
            print(table[table["submission"] == name].to_string(index=False, header=False), flush=True)
    except UsageError as error:
        print(f"spaces: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
