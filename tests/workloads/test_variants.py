"""Hidden variants are valid problems of the same kind, drawn by their seed alone."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.workloads.small import WORKLOADS, seeded, some_batch, synthetic
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.trial.arena import make_workload

each_workload = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS.keys())


@each_workload
def test_a_variant_is_drawn_by_its_seed_alone(workload):
    assert workload.draw_variant(11) == workload.draw_variant(11)
    assert len({workload.draw_variant(seed) for seed in range(20)}) >= 18


@each_workload
def test_variants_differ_in_every_drawn_field_and_keep_batch_size_and_metric(workload):
    variants = [workload.draw_variant(seed) for seed in range(40)]
    varied = {field.name for field in fields(workload) if len({getattr(v, field.name) for v in variants}) > 1}
    assert {"activation", "init_scale"} < varied and len(varied) >= 4
    assert {variant.batch_size for variant in variants} == {workload.batch_size}
    assert {variant.precision for variant in variants} == {"float32"}


@each_workload
@pytest.mark.parametrize("seed", range(5))
def test_variants_train_and_evaluate(workload, seed):
    variant = workload.draw_variant(seed)
    model, data = variant.build_model(seeded()), synthetic(variant, "train")
    assert set(variant.parameter_roles(model)) == {name for name, _ in model.named_parameters()}
    loss = variant.loss(model, variant.batch(data, torch.arange(4), seeded()))
    loss.backward()
    assert loss.isfinite() and all(parameter.grad.isfinite().all() for parameter in model.parameters())
    with torch.inference_mode():
        metrics = variant.evaluate(model.eval(), variant.first(synthetic(variant, "test"), 10))
    assert variant.metric in metrics


def flops(workload):
    batch, model = some_batch(workload, examples=8), workload.build_model(seeded())
    with FlopCounterMode(display=False) as counter:
        workload.loss(model, batch).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "spec",
    [
        spec
        for suite in ("mini", "miniature")
        for spec in select_workloads(compose([f"suite={suite}", "submission=sgd"]))
    ],
    ids=lambda spec: spec.name,
)
def test_variants_cost_about_as_much_as_their_original(spec):
    ratios = np.array([flops(make_workload(spec, seed)) for seed in range(8)]) / flops(make_workload(spec, None))
    assert ratios.max() < 7 and 0.3 < np.exp(np.log(ratios).mean()) < 1.7
