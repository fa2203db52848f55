"""Steps that are far too large end a trial as `diverged` or as a miss, never as `crashed`: no submission may raise."""

from dataclasses import replace

import pytest
import torch

from tests.submissions.toy import NAMES, any_hyperparameters, source
from tests.workloads.small import WORKLOADS, seeded, synthetic
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.rules.probe import run_briefly
from timetrial.harness.submission import Task, build_submission

FACTOR, STEPS = 1e4, 10
DIVERSE = ("cifar_resnet", "small_gpt", "digits_deepspeech", "digits_conformer")
"""Workloads that together have every kind of layer: convolutions, depthwise too, attention, recurrence, all norms."""
RATES = ("learning_rate", "adam_learning_rate", "d_coef", "d0")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def far_too_large(name):
    """Give hyperparameters of a submission with its rates `FACTOR` times as large, and so without the decay."""
    values = any_hyperparameters(name)
    rates = {key: FACTOR * values[key] for key in RATES if key in values}
    assert rates, f"{name} has no rate"
    return {**values, **rates, **({"weight_decay": 0.0} if "weight_decay" in values else {})}


@pytest.mark.parametrize("workload_name", DIVERSE)
@pytest.mark.parametrize("name", NAMES)
def test_a_rate_far_too_large_raises_nothing(name, workload_name):
    workload = WORKLOADS[workload_name]
    model, data, generator = workload.build_model(seeded()), synthetic(workload, "train"), seeded(1)

    def next_batch(size=None):
        indices = torch.randint(workload.examples(data), (size or workload.batch_size,), generator=generator)
        return workload.batch(data, indices, generator)

    task = Task(
        step_hint=10,
        batch_size=workload.batch_size,
        training_examples=workload.examples(data),
        budget_seconds=10.0,
        device=torch.device("cpu"),
        generator=seeded(2),
        roles=workload.parameter_roles(model),
        loss=workload.loss,
        next_batch=next_batch,
        elapsed_seconds=lambda: 0.0,
    )
    submission = build_submission(source(name), model, far_too_large(name), task)
    for _ in range(STEPS):
        submission.training_step(next_batch())
    # what a long divergence ends in: weights, and so gradients and all averages of them, that are not numbers
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(torch.nan)
    for _ in range(5):
        submission.training_step(next_batch())
    with submission.prepare_for_evaluation():
        assert not all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["shampoo", "soap", "yellowfin"])
def test_a_trial_that_diverges_is_not_crashed(name):
    """The same through the real referee."""
    overrides = [f"submission={name}", "suite=quickstart", "ruleset=external", "data=synthetic", "max_steps=40"]
    plan = make_plan(compose(overrides), "cpu", threads=1)
    first = next(spec for spec in plan if spec.workload.name == "cifar_resnet")
    spec = replace(
        first, hyperparameters=far_too_large(name), workload=replace(first.workload, eval_every=20, step_hint=10)
    )
    ((_, result),) = run_briefly([spec])
    assert result.status in ("diverged", "budget_exhausted"), f"{result.status}: {result.reason}"
