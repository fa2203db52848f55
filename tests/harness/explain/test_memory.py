"""What the memory experiment states, against the ZeRO paper and what is known of the optimizers."""

import pytest
import torch

from timetrial.harness import UsageError
from timetrial.harness.explain import memory


@pytest.fixture(scope="module")
def finding():
    names = ("sgd", "momentum", "adamw")
    return memory.run(memory.Options(data="synthetic", suite="quickstart", submission=names, steps=2))


def test_the_numbers_of_the_zero_paper_come_out(finding):
    n = finding.numbers
    assert n["weights_gb"] == pytest.approx(3.0, rel=0.05)  # section 1: "3GB of memory for its weights"
    assert n["weights_gb"] + n["gradients_gb"] + n["optimizer_gb"] == pytest.approx(24.0, rel=0.05)  # section 3.1
    assert n["optimizer_gb"] == pytest.approx(18.0, rel=0.05)
    assert n["activations_gb"] == pytest.approx(60.0, rel=0.02)  # section 3.2, batch 32, 1K tokens
    assert 5.0 < n["checkpointed_activations_gb"] < 8.0  # "about 8 GB"
    assert "3.1 of weights" in finding.paragraph


@pytest.mark.parametrize("model, millions", [("gpt2_124m", 124.4), ("gpt2_355m", 354.8), ("gpt2_1.5b", 1557.6)])
def test_parameters_are_those_of_gpt2(model, millions):
    assert memory.MODELS[model].parameters == pytest.approx(millions * 1e6, rel=1e-3)


@pytest.mark.parametrize("name, state", [("sgd", 0), ("momentum", 4), ("adamw", 8)])
def test_the_measured_state_is_none_one_or_two_floats_a_parameter(finding, name, state):
    assert finding.numbers[f"state_bytes_per_parameter_{name}"] == pytest.approx(state, abs=0.01)


def test_the_activations_of_a_linear_layer_are_its_input():
    class Linear:
        model = torch.nn.Linear(50, 7)

        class batches:
            @staticmethod
            def next():
                return torch.zeros(16, 50)

        class workload:
            @staticmethod
            def loss(model, batch):
                return model(batch).sum()

    assert memory.activation_bytes(Linear) == 4 * 16 * 50


def test_what_was_asked_for_by_name_comes_first(finding):
    assert finding.paragraph.startswith("Measured on quickstart")
    assert "the state is from 0.0 (sgd) to 8.0 (adamw) bytes a parameter. Training gpt2_1.5b" in finding.paragraph
    alone = memory.run(memory.Options(data="synthetic", suite="quickstart", submission=("adamw",), steps=2))
    assert "the state of adamw is 8.0 bytes a parameter." in alone.paragraph


def test_an_unknown_model_is_named(finding):
    with pytest.raises(UsageError, match="gpt2_124m"):
        memory.run(memory.Options(model="gpt5"))
