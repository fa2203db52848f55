"""Verifications: what came out when trials of a committed entry were run again, beside it in `verifications.jsonl`."""

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

VERIFIED, CHALLENGED, SELF_REPORTED = "verified", "challenged", "self-reported"


class Rerun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trial that was run again. Pairs are what is recorded, and what came out again."""

    trial: str
    """WORKLOAD/study_K/trial_J."""
    status: tuple[str, str]
    steps: tuple[float, float]
    """At the end of the trial."""
    seconds_per_step: tuple[float, float]
    """Paced, up to the last evaluation point that both have."""
    bit_for_bit: bool
    """Whether all steps and metrics are equal, but for where a clock has ended one of the two."""
    problem: str | None
    """In what they differ by more than repeated trials do."""
    measured_seconds_per_step: tuple[float, float] | None = None
    """By a stopwatch, which the machine and its other work can move; older records have none."""


class Verification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of `verifications.jsonl`."""

    at: str
    """Date and time in UTC."""
    where: str
    """The address of the workflow run, or the machine."""
    environment: dict[str, Any]
    """Of the trials that were run again."""
    seed: int
    """The studies were drawn with it."""
    records: str
    """Hash of the records that were compared with (`hash_records`)."""
    trials: tuple[Rerun, ...]
    verdict: Literal["verified", "challenged"]

    @property
    def problems(self) -> list[str]:
        return [f"{rerun.trial}: {rerun.problem}" for rerun in self.trials if rerun.problem]

    def in_words(self) -> str:
        """Say when, where, and what came out."""
        return f"{self.verdict} {self.at[:10]}, {self.where}: {self.outcome_in_words()}"

    def outcome_in_words(self) -> str:
        """Say how many trials were the same, and how long their steps took."""
        equal = sum(rerun.bit_for_bit for rerun in self.trials)
        return f"{len(self.trials)} trials, {equal} equal bit for bit; a step took {self.times_in_words()}"

    def times_in_words(self) -> str:
        """Say how many times as long as recorded a step took, the median over trials, by each clock that they have."""
        clocks = {"paced": [rerun.seconds_per_step for rerun in self.trials]}
        clocks["measured"] = [pair for rerun in self.trials if (pair := rerun.measured_seconds_per_step)]
        ratios = {clock: [again / recorded for recorded, again in pairs] for clock, pairs in clocks.items() if pairs}
        return " and ".join(f"{statistics.median(found):.2f}x in {clock} seconds" for clock, found in ratios.items())


def verdict_on(trials: Sequence[Rerun]) -> Literal["verified", "challenged"]:
    """An entry is challenged where any trial that was run again differs."""
    return CHALLENGED if any(rerun.problem for rerun in trials) else VERIFIED


def standing_of(verifications: Sequence[Verification]) -> str:
    """Say how an entry stands: a challenge stands beside any number of verifications, until it is answered."""
    verdicts = {verification.verdict for verification in verifications}
    return next((verdict for verdict in (CHALLENGED, VERIFIED) if verdict in verdicts), SELF_REPORTED)


def hash_records(trials: Mapping[str, str]) -> str:
    """Hash the hashes of an entry's trials, by their keys (16 hexadecimal digits)."""
    return hashlib.sha256(json.dumps(trials, sort_keys=True).encode()).hexdigest()[:16]


def read_verification(line: bytes) -> Verification:
    """Read a line; raises `ValueError` where it is none."""
    try:
        return msgspec.json.decode(line, type=Verification)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def write_verification(verification: Verification) -> bytes:
    return msgspec.json.encode(verification) + b"\n"
