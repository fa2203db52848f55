"""From a table of trials to scores with confidence intervals; README.md says how, and `score_table` does it."""

from timetrial.harness.scoring.algoperf_logs import read_algoperf_logs
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.leaderboard import Leaderboard, Standing, WorkloadResult
from timetrial.harness.scoring.rules import ALGOPERF_V05, ALGOPERF_V06, DEFAULT, REFERENCE, Rules, rules_named
from timetrial.harness.scoring.score import score_leaderboards, score_table

__all__ = [
    "ALGOPERF_V05",
    "ALGOPERF_V06",
    "DEFAULT",
    "REFERENCE",
    "Estimate",
    "Leaderboard",
    "Rules",
    "Standing",
    "WorkloadResult",
    "read_algoperf_logs",
    "rules_named",
    "score_leaderboards",
    "score_table",
]
