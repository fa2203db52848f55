"""Evaluation equals a plain computation over all examples at once."""

import pytest
import torch
import torch.nn.functional as F

from tests.workloads.small import CLASSIFIERS, WORKLOADS, seeded, synthetic


def plain_logits(name, workload, model, data):
    if name == "small_gpt":
        tokens, context = data["tokens"].long(), workload.context
        pieces = [tokens[start : start + context + 1] for start in range(0, len(tokens) - 1, context)]
        return torch.cat([model(piece[None, :-1])[0] for piece in pieces]), torch.cat([piece[1:] for piece in pieces])
    if name == "modular_division":
        return model(data["tokens"])[:, -1], data["labels"]
    images = data["images"].float() / 255
    mean, std = (0.2860, 0.3530) if name == "fashion_mnist_mlp" else (0.4734, 0.2516)
    images = (images - mean) / std
    if name == "cifar_vit":
        patches = [
            images[:, row : row + 8, column : column + 8].flatten(1)
            for row in range(0, 32, 8)
            for column in range(0, 32, 8)
        ]
        return model(torch.stack(patches, dim=1)), data["labels"]
    return model(images if images.ndim == 2 else images.permute(0, 3, 1, 2)), data["labels"]


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("examples", [1, 37, 301])
def test_evaluation_equals_a_plain_computation(name, examples):
    workload = WORKLOADS[name]
    data = workload.first(synthetic(workload, "test"), examples)
    model = workload.build_model(seeded())
    for module in model.modules():  # statistics of batch norm that are not the initial ones
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=seeded())
            module.running_var.fill_(2.0)
    model.eval()
    with torch.inference_mode():
        metrics = workload.evaluate(model, data)
        logits, targets = plain_logits(name, workload, model, data)
    assert metrics["loss"] == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-4)
    assert metrics["accuracy"] == pytest.approx((logits.argmax(1) == targets).double().mean().item(), abs=1e-9)
    assert all(type(value) is float for value in metrics.values())


def test_each_token_of_a_text_but_the_first_is_predicted_once():
    workload = WORKLOADS["small_gpt"]
    for length in (17, 18, 32, 33, 40, 2 * 2048 + 5):
        tokens = torch.arange(length) % 251
        windows = list(workload._windows(tokens))
        assert torch.cat([targets.flatten() for _, targets in windows]).tolist() == tokens[1:].tolist()
        assert torch.cat([inputs.flatten() for inputs, _ in windows]).tolist() == tokens[:-1].tolist()


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_metric_of_the_target_is_among_the_metrics(name):
    workload = WORKLOADS[name]
    with torch.inference_mode():
        metrics = workload.evaluate(
            workload.build_model(seeded()).eval(), workload.first(synthetic(workload, "test"), 8)
        )
    assert workload.metric in metrics
    assert workload.higher_is_better == (workload.metric not in ("loss", "word_error_rate"))
