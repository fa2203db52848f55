"""Submissions and overrides for paired studies whose trials take a second: a GPT of width 32 on synthetic text."""

from timetrial.harness.planning.configuration import compose
from timetrial.harness.runs.execute import read_place

OVERRIDES = (
    "suite=quickstart",
    "ruleset=self_tuning",
    "workloads=[small_gpt]",
    "suite.workloads.small_gpt.sizes.width=32",
    "suite.workloads.small_gpt.sizes.context=16",
    "+suite.workloads.small_gpt.sizes.validation_examples=4096",
    "+suite.workloads.small_gpt.sizes.test_examples=1024",
    "suite.workloads.small_gpt.eval_every=10",
    "suite.workloads.small_gpt.step_hint=160",
    "suite.workloads.small_gpt.target=3.55",
    "suite.workloads.small_gpt.test_target=null",
    "suite.workloads.small_gpt.budget_seconds=20",
    "device=cpu",
    "data=synthetic",
)

PLAIN = """
import torch


def build_optimizer(model, hyperparameters, task):
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
"""

HANDICAPPED = """
import torch

from timetrial.harness.submission import OptimizerSubmission


def build_optimizer(model, hyperparameters, task):
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)


class Submission(OptimizerSubmission):
    def __init__(self, model, hyperparameters, task):
        super().__init__(build_optimizer, model, hyperparameters, task)
        self.taken = 0

    def training_step(self, batch):
        super().training_step(batch)
        self.taken += 1
        if self.taken % 2 == 0:  # every second step it throws a batch away: 1.5 times as many for the same training
            self.task.next_batch()
"""

YAML = """
author: test
description: for a test
licence: Apache-2.0
search_space: {learning_rate: {min: 0.0005, max: 0.01, scaling: log}}
hyperparameters: {learning_rate: 0.003}
"""


def write_submissions(folder, **sources):
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "submission.py").write_text(source)
        (folder / name / "submission.yaml").write_text(YAML)


def config_and_place(*more):
    config = compose(["submission=x", *OVERRIDES, *more])
    return config, read_place(config)


SWITCHED = HANDICAPPED.replace("if self.taken % 2 == 0:", "if not self.thrifty and self.taken % 2 == 0:").replace(
    "self.taken = 0", "self.taken, self.thrifty = 0, hyperparameters.thrifty"
)
SWITCHES = "switches: {thrifty: [true, false]}\n"
