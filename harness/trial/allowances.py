"""What a trainee may take off the clock. Whatever is beyond is on the clock, so that nothing is gained by taking it."""

from timetrial.harness.planning.spec import TrialSpec

START_PROCESSOR_SECONDS = {"eager": 0.5, "compiled": 180.0, "graphed": 30.0}
"""Processor seconds to import a submission, build and warm up, by execution: compilers take their time."""
GPU_START_PROCESSOR_SECONDS = 30.0
"""At least so many where a GPU must be woken and its libraries loaded."""
WARMUP_FACTOR = 3.0
"""A first step may cost so many times what a step costs later."""

CHECKPOINT_CEILING = 0.25
"""Seconds off the clock for a checkpoint at most: 2.5 % of what is trained from one to the next."""
CHECKPOINT_FIXED, CHECKPOINT_FACTOR = 0.02, 2.0
"""To hand its state over, a trainee has the first, and the second times what it takes the referee to write it."""

MOST_EVALUATIONS = 10_000
"""Evaluations that fit into a budget."""


class Start:
    """The processor time of a trainee before the clock: its excess is known with the time of a step."""

    def __init__(self, spec: TrialSpec, spent: float) -> None:
        """`spent` are the processor seconds of all its processes until it was warm."""
        gpu = GPU_START_PROCESSOR_SECONDS if spec.device == "cuda" else 0.0
        self.allowed = max(START_PROCESSOR_SECONDS[spec.execution], gpu)
        self.warmup_steps, self.threads, self.spent = spec.warmup_steps, spec.threads, spent

    def excess(self, seconds_per_batch: float) -> float:
        """Give the seconds to add to the clock; only the first call gives any."""
        warmup = WARMUP_FACTOR * self.warmup_steps * self.threads * seconds_per_batch
        excess, self.spent = max(0.0, self.spent - self.allowed - warmup), 0.0
        return excess


def least_seconds(spec: TrialSpec, batches: float, draw_seconds: float) -> float:
    """Say how long it takes at least to come to an evaluation after `batches` that take `draw_seconds` each to draw.

    A trainee counts its batches itself. It may claim some that it has not drawn, but each is on the clock for as long
    as drawing it takes, so that what a budget holds of evaluations, and of the time between them, has an end.
    """
    return max(spec.budget_seconds / MOST_EVALUATIONS, batches * draw_seconds)


def checkpoint_excess(took: float, writing: float) -> float:
    """Say how much of the seconds that a state `took` to arrive is too much, where `writing` it took the referee."""
    return max(0.0, took - min(CHECKPOINT_CEILING, CHECKPOINT_FIXED + CHECKPOINT_FACTOR * writing))
