"""What must hold for splits and batches."""

import pytest
import torch

from tests.workloads.small import WORKLOADS, seeded, some_batch, synthetic
from timetrial.harness.workload import SPLITS, Batch, DataSource
from timetrial.workloads.images import crop_and_flip
from timetrial.workloads.modular_division import ModularDivision
from timetrial.workloads.sources.markov_text import markov_text
from timetrial.workloads.sources.splits import shuffled

each_workload = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS.keys())
SYNTHETIC_SIZES = {
    "fashion_mnist_mlp": (10_000, 2_000, 2_000),
    "cifar_resnet": (10_000, 300, 2_000),
    "small_gpt": (180_000 - 16, 2_000, 10_000 - 16),
    "modular_division": (78, 39, 39),
    "adult_dlrm": (15_000, 5_000, 5_000),
    "mri_unet": (10_000, 300, 2_000),
    "cifar_vit": (10_000, 300, 2_000),
    "digits_conformer": (2_000, 200, 200),
    "digits_deepspeech": (2_000, 200, 200),
    "tox21_gnn": (3_200, 400, 400),
    "multi30k_transformer": (8_000, 500, 500),
}


def same(batch: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(batch.tensors, other.tensors, strict=True))


@pytest.mark.parametrize("name", WORKLOADS)
def test_splits_have_the_stated_sizes(name):
    workload = WORKLOADS[name]
    assert tuple(workload.examples(synthetic(workload, split)) for split in SPLITS) == SYNTHETIC_SIZES[name]


@pytest.mark.parametrize(
    "name", ["fashion_mnist_mlp", "cifar_resnet", "modular_division", "mri_unet", "digits_conformer"]
)
def test_no_example_is_in_two_splits(name):
    workload = WORKLOADS[name]
    rows = torch.cat([next(iter(synthetic(workload, split).values())).flatten(1) for split in SPLITS])
    assert len({row.tobytes() for row in rows.numpy()}) == len(rows)


def test_splits_are_the_same_on_every_machine():
    assert shuffled(60_000)[:5].tolist() == [1820, 20133, 49354, 25618, 1110]


@each_workload
@pytest.mark.parametrize("split", SPLITS)
def test_data_are_contiguous_plain_and_indexed_by_example(workload, split):
    for tensor in synthetic(workload, split).values():
        assert tensor.is_contiguous() and tensor.device.type == "cpu"
        assert tensor.dtype in (torch.uint8, torch.int16, torch.int64, torch.float32)
        held, needed = tensor.untyped_storage().nbytes(), tensor.nbytes
        assert held == needed


@each_workload
def test_equal_seeds_give_equal_batches_and_batches_leave_the_data_alone(workload):
    data = synthetic(workload, "train")
    before = {name: tensor.clone() for name, tensor in data.items()}
    first, again, other = some_batch(workload, 5), some_batch(workload, 5), some_batch(workload, 6)
    assert same(first, again) and not same(first, other)
    assert len(first.targets) == 16
    assert all(torch.equal(before[name], data[name]) for name in data)


@each_workload
def test_batches_and_evaluation_do_not_touch_the_global_random_state(workload):
    model, before = workload.build_model(seeded()).eval(), torch.get_rng_state()
    some_batch(workload)
    with torch.no_grad():
        workload.evaluate(model, workload.first(synthetic(workload, "test"), 64))
    assert torch.equal(before, torch.get_rng_state())


@each_workload
def test_first_takes_that_many_examples_and_the_same_batches(workload):
    data = synthetic(workload, "train")
    few = workload.first(data, 50)
    assert workload.examples(few) == 50
    assert workload.examples(workload.first(data, 10**9)) == workload.examples(data)
    indices = torch.arange(50)
    whole, part = (workload.batch(each, indices, seeded()) for each in (data, few))
    assert same(whole, part)


def test_an_unknown_split_or_kind_is_refused():
    for split, kind in (("dev", "synthetic"), ("train", "fake")):
        with pytest.raises(ValueError, match="choose one of"):
            WORKLOADS["fashion_mnist_mlp"].load(split, DataSource(kind))


@pytest.mark.parametrize("modulus", [5, 13, 97])
def test_division_is_learnt_from_all_pairs_and_its_labels_are_quotients(modulus):
    workload = ModularDivision(modulus=modulus)
    splits = [synthetic(workload, split) for split in SPLITS]
    tokens, labels = (torch.cat([data[name] for data in splits]) for name in ("tokens", "labels"))
    dividend, operator, divisor, equals = tokens.unbind(1)
    assert sorted(zip(dividend.tolist(), divisor.tolist(), strict=True)) == [
        (a, b) for a in range(modulus) for b in range(1, modulus)
    ]
    assert (labels * divisor % modulus == dividend).all()
    assert (operator == modulus).all() and (equals == modulus + 1).all()
    assert labels.min() >= 0 and labels.max() == modulus - 1
    assert len(splits[0]["labels"]) == round(0.5 * modulus * (modulus - 1))
    assert abs(len(splits[1]["labels"]) - len(splits[2]["labels"])) <= 1


def test_division_data_are_the_same_from_every_source():
    workload = ModularDivision(modulus=13)
    real, other = workload.load("train", DataSource("real")), workload.load("train", DataSource("synthetic"))
    assert all(torch.equal(real[name], other[name]) for name in real)


def test_targets_of_text_are_its_next_tokens():
    workload = WORKLOADS["small_gpt"]
    tokens = synthetic(workload, "train")["tokens"]
    last = workload.examples({"tokens": tokens}) - 1
    batch = workload.batch({"tokens": tokens}, torch.tensor([0, 7, last]), seeded())
    for row, start in enumerate((0, 7, last)):
        assert batch.inputs[row].tolist() == tokens[start : start + 16].tolist()
        assert batch.targets[row].tolist() == tokens[start + 1 : start + 17].tolist()
    assert batch.inputs.dtype == torch.int64


def test_splits_of_text_follow_each_other():
    workload = type(WORKLOADS["small_gpt"])(context=16)
    parts = [workload.load(split, DataSource("synthetic"))["tokens"] for split in SPLITS]
    assert torch.cat(parts).tolist() == markov_text().tolist()
    assert [len(part) for part in parts] == [180_000, 10_000, 10_000]


def crops_and_flips(image, padding):
    """All results that padding, cropping and flipping one image may give, in plain Python; by (top, left, flipped)."""
    height, width, channels = image.shape
    padded = torch.zeros(height + 2 * padding, width + 2 * padding, channels, dtype=image.dtype)
    padded[padding : padding + height, padding : padding + width] = image
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[top : top + height, left : left + width]
            yield (top, left, False), crop
            yield (top, left, True), crop.flip(1)


def test_crops_and_flips_equal_the_slow_reference_and_are_uniform():
    generator = seeded(1)
    image = torch.randint(1, 256, (5, 6, 3), dtype=torch.uint8, generator=generator)
    results = crop_and_flip(image.expand(4000, 5, 6, 3), 2, generator)
    possible = {crop.numpy().tobytes(): case for case, crop in crops_and_flips(image, 2)}
    counts = dict.fromkeys(possible.values(), 0)
    for result in results.numpy():
        counts[possible[result.tobytes()]] += 1  # a result that is no crop of the image is a KeyError
    assert len(counts) == 50
    assert min(counts.values()) >= 40 and max(counts.values()) <= 130  # 80 expected, standard deviation 8.9


def test_crops_and_flips_keep_images_apart():
    images = torch.arange(1, 11, dtype=torch.uint8)[:, None, None, None].expand(10, 8, 8, 3)
    results = crop_and_flip(images, 4, seeded())
    for number, image in enumerate(results, start=1):
        assert set(image.unique().tolist()) <= {0, number} and (image == number).any()


def test_no_padding_only_flips():
    images = torch.randint(256, (64, 4, 4, 1), dtype=torch.uint8, generator=seeded())
    for image, result in zip(images, crop_and_flip(images, 0, seeded()), strict=True):
        assert torch.equal(result, image) or torch.equal(result, image.flip(1))
