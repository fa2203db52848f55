"""From a table of trials to scores with confidence intervals; README.md says how, and `score_table` does it."""

from timetrial.harness.scoring.algoperf import read_algoperf_logs
from timetrial.harness.scoring.bootstrap import Estimate
from timetrial.harness.scoring.leaderboard import Leaderboard, score_leaderboards, score_table
from timetrial.harness.scoring.rules import ALGOPERF_V05, ALGOPERF_V06, DEFAULT, REFERENCE, Rules, rules_named

__all__ = [
    "ALGOPERF_V05",
    "ALGOPERF_V06",
    "DEFAULT",
    "REFERENCE",
    "Estimate",
    "Leaderboard",
    "Rules",
    "read_algoperf_logs",
    "rules_named",
    "score_leaderboards",
    "score_table",
]
