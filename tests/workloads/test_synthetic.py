"""Synthetic data are the same everywhere, can be learnt, and are not trivial; the entropy of the text is exact."""

import hashlib

import numpy as np
import pytest
import torch

from tests.workloads.small import seeded, synthetic
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.small_gpt import SmallGpt
from timetrial.workloads.sources.markov_text import UNIT, VOCABULARY, entropy_rate, markov_text, transitions
from timetrial.workloads.sources.synthetic_images import synthetic_images


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


@pytest.mark.parametrize(("size", "channels", "expected"), [(28, 1, "33149a4f395e80c8"), (32, 3, "6e4ea1474e5d78ef")])
def test_images_are_the_same_on_every_machine(size, channels, expected):
    arrays = synthetic_images(False, size, channels)
    assert arrays["images"].shape == (2000, size, size, channels) and arrays["images"].dtype == np.uint8
    assert sorted(set(arrays["labels"].tolist())) == list(range(10))
    assert digest(arrays["images"], arrays["labels"]) == expected


def test_text_is_the_same_on_every_machine():
    assert digest(markov_text()) == "4f8b53cdc7c6c32e"


def test_transitions_are_probabilities():
    table = transitions()
    assert table.shape == (VOCABULARY, VOCABULARY)
    assert (table.sum(axis=1) == UNIT).all() and (table > 0).all()


def test_the_entropy_rate_is_that_of_pairs_less_that_of_single_tokens():
    """By the chain rule, H(pair) - H(single), with the stationary distribution from an eigenvector."""
    probabilities = transitions() / UNIT
    values, vectors = np.linalg.eig(probabilities.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    pairs = stationary[:, None] * probabilities
    entropy = -(pairs * np.log(pairs)).sum() + (stationary * np.log(stationary)).sum()
    assert entropy_rate() == pytest.approx(entropy, abs=1e-9)


def test_a_table_of_pairs_reaches_the_entropy_and_single_tokens_do_not():
    text = markov_text()
    train, rest = text[:180_000].astype(int), text[180_000:].astype(int)
    pairs = np.ones((VOCABULARY, VOCABULARY))
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    table = -np.log(pairs / pairs.sum(axis=1, keepdims=True))[rest[:-1], rest[1:]].mean()
    exact = -np.log(transitions() / UNIT)[rest[:-1], rest[1:]].mean()
    single = -np.log(np.bincount(train, minlength=VOCABULARY) / len(train))[rest[1:]].mean()
    assert exact == pytest.approx(entropy_rate(), abs=0.03)  # 20,000 tokens: a standard error of 0.01
    assert exact < table < exact + 0.03
    assert single > entropy_rate() + 0.5


def train(workload, steps, learning_rate):
    """Train with AdamW, and give the metrics on training and validation data."""
    data, generator = synthetic(workload, "train"), seeded()
    model = workload.build_model(generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=0.1)
    for _ in range(steps):
        indices = torch.randint(workload.examples(data), (workload.batch_size,), generator=generator)
        optimizer.zero_grad()
        workload.loss(model, workload.batch(data, indices, generator)).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        return [workload.evaluate(model.eval(), synthetic(workload, split)) for split in ("train", "validation")]


def test_images_take_training_but_can_be_learnt():
    workload = FashionMnistMlp(hidden=(128, 128), batch_size=128)
    soon, late = (train(workload, steps, 3e-3)[1]["accuracy"] for steps in (40, 800))
    assert soon < 0.6 and late > 0.85


def test_a_model_of_text_comes_near_the_entropy_and_never_below_it():
    workload = SmallGpt(layers=1, width=32, heads=2, context=16, batch_size=32)
    on_train, on_validation = train(workload, 600, 1e-2)
    floor = -np.log(transitions() / UNIT)
    tokens = synthetic(workload, "validation")["tokens"].long().numpy()
    exact = floor[tokens[:-1], tokens[1:]].mean()
    assert exact < on_validation["loss"] < exact + 0.15
    assert on_train["loss"] == pytest.approx(on_validation["loss"], abs=0.1)
