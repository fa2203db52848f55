"""What must hold for every submission of the collection, whatever it is."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from tests.submissions.toy import (
    NAMES,
    STEP_HINT,
    ToyModel,
    any_hyperparameters,
    build,
    make_task,
    source,
    through_bytes,
    train,
    weights_in_evaluation,
)
from timetrial.harness.planning.catalogue import FIELDS, SUBMISSIONS, find_submission, submission_names
from timetrial.harness.planning.search_space import HORIZON, POINTS
from timetrial.harness.submission import build_submission, optimizers_of

REQUIRED = {
    *("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "amsgrad", "adamw", "nadam", "radam"),
    *("adafactor", "lion", "sign_sgd", "normalized_sgd", "lars", "lamb", "lookahead", "aggmo", "qhm", "qhadam"),
    *("yellowfin", "demon", "adaplus", "adan", "ademamix", "muon", "muon_polar_express", "shampoo", "soap", "caspr"),
    *("distributed_shampoo", "schedule_free_adamw", "generalized_adam", "cyclic_lr", "nadamp", "baseline", "amos"),
    *("lawa_queue", "lawa_ema", "schedule_free_prodigy", "prodigy", "dadapt_adam", "swa", "constant", "step_decay"),
    *("cosine_restarts", "inverse_sqrt", "linear_decay", "wsd", "exponential_growing", "plateau", "cyclic_cosine"),
    *("caspr_adaptive", "adam_uncorrected", "lmo", "muon_exact", "muon_cubic"),
}
"""The algorithms that the collection promises."""


def test_the_collection_holds_every_algorithm_it_promises():
    assert set(submission_names()) >= REQUIRED


def test_the_reference_runs_name_every_algorithm_once():
    script = (SUBMISSIONS.parent / "scripts" / "reference_runs").read_text()
    names = script[script.index("names=(") + len("names=(") : script.index("\n)")]
    assert sorted(re.sub("#.*", "", names).split()) == sorted(REQUIRED)


@pytest.mark.parametrize("name", NAMES)
def test_metadata_are_complete(name):
    given = OmegaConf.to_container(OmegaConf.load(SUBMISSIONS / name / "submission.yaml"))
    assert set(given) <= set(FIELDS)
    folder = find_submission(name)
    assert folder.author and folder.licence and folder.description.endswith((".", ")"))
    assert folder.references
    for reference in folder.references:
        assert "http" in reference or "Doklady" in reference, f"no address in {reference!r}"
    assert folder.rulesets
    assert source(name).__doc__


def points(name):
    """Give every set of hyperparameters that the reference runs may build a submission with."""
    folder = find_submission(name)
    given = [folder.hyperparameters] if folder.hyperparameters else []
    if folder.search_space:
        given += [point for study in range(3) for point in folder.search_space.draw(study, POINTS)]
    return given


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_are_those_the_code_reads(name):
    for values in points(name):
        reads = set()

        class Reading(SimpleNamespace):
            def __getattribute__(self, attribute, reads=reads):
                reads.add(attribute)
                return super().__getattribute__(attribute)

        model, module = ToyModel(), source(name)
        build_it = module.Submission if hasattr(module, "Submission") else module.build_optimizer
        build_it(model, Reading(**values), make_task(model))
        unread = set(values) - reads - {HORIZON}  # a plan of that length is in the step hint already
        # generalized_adam reads beta2 only where it preconditions
        assert unread <= ({"beta2"} if values.get("preconditioner") == "none" else set())


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_in_exactly_one_group(name):
    model, submission = build(name)
    grouped = [id(p) for o in optimizers_of(submission) for group in o.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_biases_and_norms_have_no_weight_decay(name):
    model, submission = build(name)
    undecayed = {id(p) for n, p in model.named_parameters() if "bias" in n or "norm" in n}
    for optimizer in optimizers_of(submission):
        for group in optimizer.param_groups:
            if any(id(p) in undecayed for p in group["params"]):
                assert group.get("weight_decay", 0.0) == 0.0
                assert group.get("separate_weight_decay", 0.0) == 0.0


L2 = {
    *("sgd", "momentum", "nesterov", "aggmo", "qhm", "demon", "yellowfin", "swa", "constant", "step_decay"),
    *("exponential_growing", "plateau", "adam", "adadelta"),
}
"""Submissions whose weight decay is an L2 term of the gradient (submissions/README.md)."""
WITHOUT_RATE = {"prodigy", "schedule_free_prodigy", "dadapt_adam", "amos"}
"""Submissions that find their learning rate, or derive their weight decay, by themselves."""
SELF_TUNING = [name for name in submission_names() if find_submission(name).hyperparameters]


@pytest.mark.parametrize("name", [name for name in SELF_TUNING if name not in L2 | WITHOUT_RATE])
def test_decoupled_decay_of_self_tuning_is_the_same_for_every_parameter(name):
    """The rate times the weight decay is 1e-3 for all that is no bias and no norm, whichever optimizer has it."""
    model, submission = build(name)
    undecayed = {id(p) for n, p in model.named_parameters() if "bias" in n or "norm" in n}
    for optimizer in optimizers_of(submission):
        for group in optimizer.param_groups:
            if any(id(p) not in undecayed for p in group["params"]):
                decay = group["weight_decay"] or group.get("separate_weight_decay", 0.0)
                rate = group.get("initial_lr", group["lr"])
                assert rate * decay == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("name", sorted(L2 & set(SELF_TUNING)))
def test_momentum_methods_of_self_tuning_share_one_penalty(name):
    own = {"sgd": 1e-4, "adadelta": 0.0, "adam": 1e-3}
    assert find_submission(name).hyperparameters["weight_decay"] == own.get(name, 5e-4)


@pytest.mark.parametrize("name", NAMES)
def test_no_optimizer_uses_fused_kernels(name):
    """All use `foreach` operations, where the library has the choice: what is compared is methods, not kernels."""
    _, submission = build(name)
    for optimizer in optimizers_of(submission):
        for part in getattr(optimizer, "optimizers", [optimizer]):
            for group in part.param_groups:
                assert not group.get("fused")
                assert group.get("foreach", True)


@pytest.mark.parametrize("name", NAMES)
def test_restored_in_the_middle_it_ends_at_the_same_weights(name):
    task = make_task(ToyModel())
    batches = [task.next_batch() for _ in range(STEP_HINT + 3)]
    model, submission = build(name)
    train(submission, batches[:5])
    checkpoint = through_bytes({"model": model.state_dict(), "submission": submission.state_dict()})
    train(submission, batches[5:])

    restored_model, restored = build(name)
    train(restored, batches[3:4])  # what it did before must not matter
    restored_model.load_state_dict(checkpoint["model"])
    restored.load_state_dict(checkpoint["submission"])
    train(restored, batches[5:])

    for weights, expected in (
        (restored_model.state_dict(), model.state_dict()),
        (weights_in_evaluation(restored_model, restored), weights_in_evaluation(model, submission)),
    ):
        for key, value in expected.items():
            assert torch.equal(weights[key], value), key


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation_leaves_training_as_it_was(name):
    task = make_task(ToyModel())
    batches = [task.next_batch() for _ in range(STEP_HINT)]
    model, submission = build(name)
    train(submission, batches)
    before = copy.deepcopy(model.state_dict())
    evaluated = weights_in_evaluation(model, submission)
    # schedulefree moves the weights by interpolation, there and back
    tolerance = 1e-5 if name.startswith("schedule_free") else 0.0
    for key, value in before.items():
        assert torch.allclose(model.state_dict()[key], value, rtol=tolerance, atol=tolerance), key
    if name in ("lookahead", "swa", "lawa_queue", "lawa_ema", "schedule_free_adamw", "schedule_free_prodigy"):
        assert any(not torch.equal(evaluated[key], before[key]) for key in before)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_the_toy_problem(name):
    model, submission = build(name, step_hint=150)
    first = submission.task.loss(model, submission.task.next_batch(512)).item()
    train(submission, [submission.task.next_batch() for _ in range(150)])
    with submission.prepare_for_evaluation():
        last = submission.task.loss(model, submission.task.next_batch(512)).item()
    assert last < 0.98 * first


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_past_the_step_hint_and_with_few_steps(name):
    for step_hint in (1, 4):
        model, submission = build(name, step_hint=step_hint)
        train(submission, [submission.task.next_batch() for _ in range(8)])
        assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_model_with_an_output_layer_alone_is_no_problem(name):
    model = torch.nn.Sequential()
    model.add_module("head", torch.nn.Linear(3, 2))
    task = make_task(model, roles={"head.weight": "output"}, loss=lambda model, batch: model(batch).square().mean())
    submission = build_submission(source(name), model, any_hyperparameters(name), task)
    train(submission, [torch.randn(4, 3, generator=task.generator) for _ in range(4)])
    assert all(p.isfinite().all() for p in model.parameters())


def test_readme_lists_the_collection_with_every_paper():
    text = (SUBMISSIONS / "README.md").read_text()
    for name in submission_names():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| [`{name}`]({name}/submission.py) |")]
        folder = find_submission(name)
        assert folder.description in row and folder.licence in row
        for reference in folder.references:
            assert reference.split(",")[0] in row, reference
