"""`timetrial conform`: equal optimizers are found equal, and a known difference where it begins."""

import math
import re

import pytest
import torch

from timetrial.harness.cli import main
from timetrial.harness.explain import one_trajectory
from timetrial.harness.explain.one_trajectory import conform
from timetrial.harness.planning.places import ROOT
from timetrial.workloads.modular_division import ModularDivision

PAGE = (ROOT / "docs" / "conform.md").read_text()
EXAMPLES = re.findall(r"```text\n\$ timetrial (conform [^\n]*)\n(.*?)```", PAGE, re.DOTALL)
SMALL = ModularDivision(modulus=11, width=16, layers=1, heads=2, batch_size=32)


class Plain(torch.optim.Optimizer):
    """Adam as it stands in the paper, one parameter after the other, with ways to be another method."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, inside=False, period=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.inside, self.period = inside, period

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state |= {"t": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)}
                state["t"] += 1
                p -= group["lr"] * group["weight_decay"] * p
                state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
                state["v"] = beta2 * state["v"] + (1 - beta2) * p.grad**2
                m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
                root = (v + group["eps"]).sqrt() if self.inside else v.sqrt() + group["eps"]
                idle = self.period and state["t"] % self.period == 0
                p -= 0.0 * m if idle else group["lr"] * m / root


PLAIN = f"{__name__}:Plain"


def small(one, other, **options):
    return conform(one, other, workload=SMALL, **{"steps": 6, **options})


def test_an_optimizer_agrees_with_itself_to_the_last_bit():
    found = small("adamw", "torch.optim:AdamW")
    assert found.holds and found.compared == found.parameters
    assert [(each.dtype, each.largest.weights) for each in found.agreements] == [("float64", 0.0), ("float32", 0.0)]


def test_the_same_method_in_other_words_agrees_but_for_rounding():
    found = small("adamw", PLAIN)
    assert found.holds and found.values[1]["weight_decay"] == (0.5, 0.0)
    double, single = (each.largest.share for each in found.agreements)
    assert 0 < double < 1e-9 and 1e-9 < single < 1e-3
    assert "but for rounding" in str(found)


def test_an_epsilon_inside_the_root_parts_all_parameters_at_the_first_step():
    found = small("adamw", PLAIN, mapping={"inside": "True"})
    assert not found.holds
    double, single = found.agreements
    assert {each.step for each in double.first} == {1} and len(double.first) == found.parameters
    assert single.first[0].step == 1 and single.first[0].share == pytest.approx(double.first[0].share, rel=0.01)


def test_coupled_weight_decay_parts_the_parameters_that_have_it_and_no_other():
    found = small("adamw", "torch.optim:Adam", mapping={"decoupled_weight_decay": "False"})
    for agreement in found.agreements:
        assert {each.role for each in agreement.first} == {"embedding", "hidden_matrix", "output"}
        assert {each.step for each in agreement.first} == {1}
    assert conform(*("adamw", "torch.optim:Adam"), workload=SMALL, steps=3).holds, (
        "torch's Adam can be told to decouple"
    )


def test_a_step_that_one_leaves_out_is_named_with_what_it_left_out():
    found = small(PLAIN, PLAIN, mapping={"period": "4"})
    for agreement in found.agreements:
        first = agreement.first[0]
        assert first.step == 4 and first.share == pytest.approx(1.0, rel=1e-3)
        assert all(each.step == 4 for each in agreement.first)


def test_hyperparameters_go_by_name_by_map_and_as_values():
    first, second = small(PLAIN, "adamw", values={"lr": 0.02, "betas": (0.8, 0.9)}).values
    assert second["learning_rate"] == first["lr"] == 0.02 and (second["beta1"], second["beta2"]) == (0.8, 0.9)
    _, second = small("adamw", "torch.optim:SGD", mapping={"lr": "beta1", "nesterov": "False"}).values
    assert second["lr"] == 0.9 and second["nesterov"] is False and second["momentum"] == 0


def test_a_class_that_takes_matrices_alone_is_compared_on_them():
    found = small("muon", "torch.optim:Muon", steps=2)
    assert 0 < found.compared < found.parameters
    assert {each.role for agreement in found.agreements for each in agreement.first} == {"hidden_matrix"}
    assert all(0.005 < agreement.first[0].share < 0.5 for agreement in found.agreements), "bfloat16 in both"


WITH_ONE_BETA = """
import torch

HYPERPARAMETERS = {"learning_rate": 0.01, "beta1": 0.8}


def build_optimizer(model, hyperparameters, task):
    return torch.optim.SGD(model.parameters(), lr=hyperparameters.learning_rate, momentum=hyperparameters.beta1)
"""


def test_a_beta_that_one_side_does_not_name_is_the_default_of_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(WITH_ONE_BETA)
    found = small("./mine.py", "torch.optim:AdamW", steps=1)
    assert found.values[1]["betas"] == (0.8, 0.999)


def test_where_the_first_does_not_move_the_share_is_infinite():
    weights = torch.ones(3)
    difference = one_trajectory._difference(1, "w", "bias", weights, weights.clone(), weights + 1)
    assert difference.share == math.inf and difference.parts
    assert not one_trajectory._difference(1, "w", "bias", weights, weights + 1, weights + 1 + 1e-7).parts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("adamw torch.optim:Nothing", "has no attribute 'Nothing'"),
        ("adamw ./mine.py:Mine", "./mine.py:Mine cannot be imported"),
        ("adamw torch.nn:Linear", "is no torch.optim.Optimizer"),
        ("adamw torch.optim:SparseAdam", "cannot take these steps"),
        ("adamw torch.optim:AdamW --map lr=rate", "neither a value nor a hyperparameter"),
        ("adamw torch.optim:AdamW --map lrr=0.1", "--map lrr: torch.optim:AdamW has no such argument"),
        ("adamw sgd --map beta=beta1", "sgd has no such hyperparameter"),
        ("adamw sgd lr=1", "adamw has no hyperparameter 'lr'"),
        ("sgd torch.optim:Muon --only bias", "cannot be built here"),
        ("adamw sgd --only matrix", "choose of embedding"),
        ("adamw sgd --steps 0", "at least 1"),
    ],
)
def test_what_cannot_be_compared_is_one_line(words, said, capsys):
    assert main(["conform", *words.split(), "--workload", "modular_division"]) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1


def masked(text: str) -> str:
    """Leave out what another processor rounds otherwise: sizes, and which of many alike is the furthest."""
    text = re.sub(r"furthest at .*", "furthest", text)
    return re.sub(r"[\d.e-]+(?=% of the step| of the step| in a weight)", "#", text)


@pytest.mark.parametrize(("words", "output"), EXAMPLES, ids=[words for words, _ in EXAMPLES])
def test_the_examples_of_the_page_are_what_the_command_prints(words, output, capsys):
    pytest.importorskip(words.split()[2].split(":")[0].partition(".")[0])
    agree = "they part" not in output
    assert main(words.split()) == int(not agree)
    printed = capsys.readouterr().out
    assert masked(printed) == masked(output)
    sizes, before = (re.findall(r"by ([\d.]+)% of the step", text) for text in (printed, output))
    assert [float(size) for size in sizes] == pytest.approx([float(size) for size in before], rel=0.3)
