"""Each workload of the suite `miniature` can be learnt by heart, and trains to the same bits each time."""

import pytest
import torch

from tests.workloads.small import WORKLOADS, seeded, synthetic
from timetrial.harness.trial.shared_tensors import SharedTensors
from timetrial.harness.trial.training_data import describe, random_data
from timetrial.workloads.adult_dlrm import AdultDlrm
from timetrial.workloads.cifar_vit import CifarViT
from timetrial.workloads.digits_conformer import DigitsConformer
from timetrial.workloads.digits_deepspeech import DigitsDeepSpeech
from timetrial.workloads.mri_unet import MriUNet
from timetrial.workloads.multi30k_transformer import Multi30kTransformer
from timetrial.workloads.tox21_gnn import Tox21Gnn


def train(workload, data, steps, learning_rate, warmup=10):
    """Train with Adam on all of `data` in each step; gives the model and the last loss."""
    generator = seeded()
    model = workload.build_model(generator).train()
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas=(0.9, 0.98))
    everything = torch.arange(workload.examples(data))
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, (step + 1) / warmup)
        optimizer.zero_grad()
        loss = workload.loss(model, workload.batch(data, everything, generator))
        loss.backward()
        optimizer.step()
    return model.eval(), loss.item()


@pytest.mark.parametrize(
    ("workload", "steps", "learning_rate", "metric", "reached"),
    [
        (AdultDlrm(embedding=8, bottom=32, top=64), 150, 1e-2, "loss", 0.05),
        (MriUNet(width=8), 120, 1e-2, "ssim", 0.7),
        (CifarViT(layers=2, width=64, heads=2), 300, 3e-3, "accuracy", 0.9),
        (DigitsConformer(layers=1, width=48, heads=2, channels=4), 200, 5e-3, "word_error_rate", 0.1),
        (DigitsDeepSpeech(layers=1, width=48, channels=4), 200, 1e-2, "word_error_rate", 0.1),
        (Tox21Gnn(layers=2, width=48), 150, 1e-2, "mean_average_precision", 0.99),
        (Multi30kTransformer(layers=1, width=64, vocabulary=200), 150, 1e-2, "bleu", 90),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "batch_size") else None,
)
def test_thirty_two_examples_are_learnt_by_heart(workload, steps, learning_rate, metric, reached):
    data = workload.first(synthetic(workload, "train"), 32)
    model, _ = train(workload, data, steps, learning_rate)
    with torch.inference_mode():
        metrics = workload.evaluate(model, data)
    lower = metric in ("loss", "word_error_rate")
    assert metrics[metric] <= reached if lower else metrics[metric] >= reached, metrics


@pytest.mark.parametrize("name", WORKLOADS)
def test_training_again_gives_the_same_bits(name):
    workload = WORKLOADS[name]
    data = workload.first(synthetic(workload, "train"), 24)
    (model, loss), (again, loss_again) = (train(workload, data, 4, 1e-2) for _ in range(2))
    assert loss == loss_again
    for one, other in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("seed", range(3))
def test_random_data_for_the_warm_up_are_valid(name, seed):
    """The trainee sees the ranges of columns alone, and trains on numbers from them before the clock starts."""
    workload = WORKLOADS[name]
    data = workload.first(synthetic(workload, "train"), 400)
    columns = describe(data, SharedTensors(data, read_only=True))
    drawn = random_data(columns, 300, seed, torch.device("cpu"))
    model = workload.build_model(seeded())
    indices = torch.arange(min(64, workload.examples(drawn)))
    loss = workload.loss(model, workload.batch(drawn, indices, seeded()))
    loss.backward()
    assert loss.isfinite() and all(parameter.grad.isfinite().all() for parameter in model.parameters())
