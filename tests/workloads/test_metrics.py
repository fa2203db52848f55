"""The metrics of the workloads that are no classifiers, against plain re-computations, one example at a time."""

import itertools
import math

import numpy as np
import pytest
import torch
from sacrebleu import corpus_bleu
from sklearn.metrics import average_precision_score, log_loss

from tests.workloads.small import WORKLOADS, seeded, synthetic
from timetrial.workloads.mri_unet import ssim
from timetrial.workloads.multi30k_transformer import text_of
from timetrial.workloads.sources.multi30k import END, PAD, START
from timetrial.workloads.sources.spoken_digits import ALPHABET
from timetrial.workloads.sources.tox21 import MISSING
from timetrial.workloads.speech import edit_distance, greedy_texts
from timetrial.workloads.tox21_gnn import average_precision


def evaluated(name, examples, split="test"):
    """Give a workload, a model whose weights are not small, some data, and the metrics."""
    workload = WORKLOADS[name]
    data = workload.first(synthetic(workload, split), examples)
    model = workload.build_model(seeded()).eval()
    with torch.inference_mode():
        return workload, model, data, workload.evaluate(model, data)


@pytest.mark.parametrize("examples", [3, 4097])
def test_log_loss_of_adult_is_that_of_scikit_learn(examples):
    _, model, data, metrics = evaluated("adult_dlrm", examples)
    with torch.inference_mode():
        probabilities = model(data["categories"], data["numbers"]).double().sigmoid().numpy()
    labels = data["labels"].numpy()
    assert metrics["loss"] == pytest.approx(log_loss(labels, probabilities, labels=[0, 1]), rel=1e-6)
    assert metrics["accuracy"] == pytest.approx(np.mean((probabilities > 0.5) == labels))


def test_interactions_of_adult_are_dot_products_of_all_pairs():
    workload = WORKLOADS["adult_dlrm"]
    model, data = workload.build_model(seeded()), synthetic(workload, "test")
    seen = []
    model.top[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    model(data["categories"][:5], data["numbers"][:5])
    for person in range(5):
        dense = model.bottom_out(model.bottom_in(data["numbers"][person]).relu()).relu()
        starts = [0, 9, 25, 32, 47, 53, 58, 60]
        table = model.categories.weight
        vectors = [dense, *(table[s + c] for s, c in zip(starts, data["categories"][person].tolist(), strict=True))]
        expected = sorted((a @ b).item() for a, b in itertools.combinations(vectors, 2))
        assert sorted(seen[0][person, len(dense) :].tolist()) == pytest.approx(expected, abs=1e-5)


def plain_ssim(x, y):
    """Structural similarity of two images by loops over windows (Wang et al. 2004)."""
    values = []
    for row in range(x.shape[0] - 6):
        for column in range(x.shape[1] - 6):
            a, b = (image[row : row + 7, column : column + 7].flatten() for image in (x, y))
            (va, c), (_, vb) = np.cov(a, b)
            top = (2 * a.mean() * b.mean() + 1e-4) * (2 * c + 9e-4)
            values.append(top / ((a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (va + vb + 9e-4)))
    return np.mean(values)


def test_ssim_is_that_of_loops_over_windows():
    draw = np.random.RandomState(0)
    images = draw.random_sample((3, 28, 28))
    others = np.clip(images + 0.2 * draw.standard_normal(images.shape), 0, 1)
    expected = [plain_ssim(x, y) for x, y in zip(images, others, strict=True)]
    assert ssim(torch.tensor(images), torch.tensor(others)).tolist() == pytest.approx(expected, abs=1e-9)
    assert ssim(torch.tensor(images), torch.tensor(images)).tolist() == pytest.approx([1, 1, 1])


def test_reconstructions_are_evaluated_image_by_image():
    _, model, data, metrics = evaluated("mri_unet", 53)
    with torch.inference_mode():
        outputs = model(data["zero_filled"].float() / 255).double().numpy()
    images = data["images"].numpy() / 255
    assert metrics["ssim"] == pytest.approx(
        np.mean([plain_ssim(*pair) for pair in zip(outputs, images, strict=True)]), abs=1e-4
    )
    assert metrics["loss"] == pytest.approx(np.abs(outputs - images).mean(), rel=1e-5)


def plain_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(
        plain_distance(a[1:], b) + 1, plain_distance(a, b[1:]) + 1, plain_distance(a[1:], b[1:]) + (a[0] != b[0])
    )


def test_edit_distance_is_that_of_the_recursive_definition():
    draw = np.random.RandomState(0)
    for _ in range(50):
        a, b = (draw.choice(["one", "two", "six"], size=draw.randint(6)).tolist() for _ in range(2))
        assert edit_distance(a, b) == plain_distance(a, b)


def test_greedy_decoding_merges_repetitions_drops_blanks_and_stops_at_the_end():
    said = "oonn_ee tt_wwoo_sixx"
    logits = torch.nn.functional.one_hot(torch.tensor([[ALPHABET.index(c) for c in said]] * 2), len(ALPHABET)).float()
    assert greedy_texts(logits, torch.tensor([len(said), 7])) == ["one twosix", "one"]


@pytest.mark.parametrize("name", ["digits_conformer", "digits_deepspeech"])
def test_the_word_error_rate_is_that_of_one_utterance_at_a_time(name):
    workload, model, data, metrics = evaluated(name, 60)
    errors = words = loss = 0
    for index in range(60):
        batch = workload.batch(data, torch.tensor([index]), seeded())
        with torch.inference_mode():
            logits = model(*batch.inputs)[0]
            loss += workload.loss(model, batch).item()
        steps = math.ceil(data["frames"][index].item() / 2)
        best = [character for character, _ in itertools.groupby(logits[:steps].argmax(1).tolist())]
        said = "".join(ALPHABET[character] for character in best if character).split()
        truth = "".join(ALPHABET[character] for character in batch.targets[0].tolist() if character).split()
        errors, words = errors + edit_distance(said, truth), words + len(truth)
    assert metrics["word_error_rate"] == pytest.approx(errors / words)
    assert metrics["loss"] == pytest.approx(loss / 60, rel=1e-4)


@pytest.mark.parametrize("name", ["digits_conformer", "digits_deepspeech"])
def test_padding_has_no_influence_on_what_is_written(name):
    workload = WORKLOADS[name]
    model, data = workload.build_model(seeded()).eval(), synthetic(workload, "test")
    features, frames = workload.batch(data, torch.arange(4), seeded()).inputs
    changed = features.clone()
    for row, count in enumerate(frames.tolist()):
        changed[row, count + 4 :] = 3.0  # the convolutions of the first layers see a few frames beyond the end
    with torch.inference_mode():
        one, other = model(features, frames), model(changed, frames)
    for row, count in enumerate(frames.tolist()):
        assert torch.allclose(one[row, : count // 2], other[row, : count // 2], atol=1e-5)


def test_average_precision_is_that_of_scikit_learn_with_ties_too():
    draw = np.random.RandomState(0)
    for levels in (3, 10, 10_000):
        scores, labels = draw.randint(levels, size=200) / 7, draw.random_sample(200) < 0.2
        expected = average_precision_score(labels, scores)
        assert average_precision(torch.tensor(scores), torch.tensor(labels)).item() == pytest.approx(expected)
    assert math.isnan(average_precision(torch.tensor([1.0, math.nan]), torch.tensor([True, False])).item())


def test_mean_average_precision_leaves_out_what_was_not_measured():
    workload, model, data, metrics = evaluated("tox21_gnn", 300)
    rows = []
    with torch.inference_mode():
        for index in range(300):  # one molecule at a time: no molecule has an influence on another
            batch = workload.batch(data, torch.tensor([index]), seeded())
            rows.append(model(*batch.inputs, 1)[0])
    scores, labels = torch.stack(rows).double().numpy(), data["labels"].numpy()
    known = labels != MISSING
    assert 0.1 < 1 - known.mean() < 0.3
    expected = [average_precision_score(labels[k, assay], scores[k, assay]) for assay, k in enumerate(known.T)]
    assert metrics["mean_average_precision"] == pytest.approx(np.mean(expected), rel=1e-4)
    expected = [
        log_loss(labels[k, a], 1 / (1 + np.exp(-scores[k, a])), labels=[0, 1]) * k.sum() for a, k in enumerate(known.T)
    ]
    assert metrics["loss"] == pytest.approx(np.sum(expected) / known.sum(), rel=1e-4)


def test_translations_and_their_bleu_are_those_of_one_sentence_at_a_time():
    workload, model, data, metrics = evaluated("multi30k_transformer", 40)
    pieces = [bytes(row).rstrip(b"\0") for row in data["pieces"].tolist()]
    said, truth, loss, tokens = [], [], 0.0, 0
    for index in range(40):
        german = data["german"][index].long()[data["german"][index] != PAD][None]
        english = data["english"][index].long()[data["english"][index] != PAD].tolist()
        with torch.inference_mode():
            logits = model(german, torch.tensor([[START, *english[:-1]]]))[0]
            loss += torch.nn.functional.cross_entropy(logits, torch.tensor(english), reduction="sum").item()
            words = [START]
            while len(words) <= workload.length:
                words.append(model(german, torch.tensor([words]))[0, -1].argmax().item())
        said.append(text_of(words[1:], pieces))
        truth.append(text_of(english, pieces))
        tokens += len(english)
    few = workload.translated
    assert metrics["bleu"] == pytest.approx(corpus_bleu(said[:few], [truth[:few]]).score)
    assert metrics["loss"] == pytest.approx(loss / tokens, rel=1e-4)


def test_text_ends_at_its_end():
    assert text_of([4, 5, END, 4], [b"", b"", b"", b"?", b" a", b"b"]) == "ab"
