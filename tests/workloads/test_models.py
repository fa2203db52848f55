"""What must hold for the models: seeds, roles, sizes, and what their papers say of their structure."""

from collections import Counter

import pytest
import torch
from torch import nn

from tests.workloads.small import CLASSIFIERS, WORKLOADS, seeded, some_batch
from timetrial.harness.workload import ROLES
from timetrial.workloads.cifar_resnet import CifarResNet
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.initialisation import ACTIVATIONS
from timetrial.workloads.modular_division import ModularDivision
from timetrial.workloads.small_gpt import SmallGpt

each_workload = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS.keys())


def same_state(first: nn.Module, second: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@each_workload
def test_equal_seeds_give_equal_models_and_others_do_not(workload):
    model = workload.build_model(seeded(3))
    assert same_state(model, workload.build_model(seeded(3)))
    assert not same_state(model, workload.build_model(seeded(4)))


@each_workload
def test_building_a_model_neither_uses_nor_advances_the_global_random_state(workload):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    model = workload.build_model(seeded(3))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert same_state(model, workload.build_model(seeded(3)))


@each_workload
def test_a_new_model_is_on_the_cpu_and_finite(workload):
    for tensor in workload.build_model(seeded()).state_dict().values():
        assert tensor.device.type == "cpu" and tensor.isfinite().all()


@pytest.mark.parametrize("workload", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_a_new_classifier_is_about_as_good_as_guessing(workload):
    model, batch = workload.build_model(seeded()), some_batch(workload)
    classes = model(batch.inputs).shape[-1]
    assert workload.loss(model, batch).item() == pytest.approx(torch.tensor(float(classes)).log().item(), abs=1.0)


@each_workload
def test_every_parameter_has_one_known_role(workload):
    model = workload.build_model(seeded())
    roles = workload.parameter_roles(model)
    assert list(roles) == [name for name, _ in model.named_parameters()]
    assert set(roles.values()) <= set(ROLES)


def test_roles_of_the_perceptron():
    workload = FashionMnistMlp(hidden=(8, 8))
    assert workload.parameter_roles(workload.build_model(seeded())) == {
        "hidden_0.weight": "hidden_matrix",
        "hidden_0.bias": "bias",
        "hidden_1.weight": "hidden_matrix",
        "hidden_1.bias": "bias",
        "head.weight": "output",
        "head.bias": "bias",
    }


def test_roles_of_the_residual_network():
    workload = CifarResNet(depth=14, width=4)
    roles = workload.parameter_roles(workload.build_model(seeded()))
    assert all(role == "convolution" for name, role in roles.items() if "conv_" in name or "shortcut" in name)
    assert all(role == "norm" for name, role in roles.items() if "norm" in name and name.endswith("weight"))
    # 1 stem, 6 blocks of 2, 2 shortcuts; 6 blocks of 2 norms and the last one, each with a bias.
    assert Counter(roles.values()) == {"convolution": 15, "norm": 13, "bias": 14, "output": 1}
    assert roles["head.weight"] == "output" and roles["stem.weight"] == "convolution"


@pytest.mark.parametrize("name", ["small_gpt", "modular_division"])
def test_roles_of_the_transformers(name):
    workload = WORKLOADS[name]
    roles = workload.parameter_roles(workload.build_model(seeded()))
    assert roles["tokens.weight"] == roles["positions.weight"] == "embedding"
    assert roles["head.weight"] == "output"
    assert Counter(roles.values()) == {
        "embedding": 2,
        "output": 1,
        "hidden_matrix": 4 * workload.layers,
        "norm": 2 * workload.layers + 1,
        "bias": 2 * workload.layers + 1,
    }


@pytest.mark.parametrize(
    ("workload", "parameters"),
    [
        (FashionMnistMlp(), 784 * 512 + 512 * 512 + 512 * 10 + 512 + 512 + 10),
        (CifarResNet(), 466_714),
        (SmallGpt(), (65 + 256 + 65) * 384 + 6 * 12 * 384**2 + 13 * 2 * 384),
        (ModularDivision(), (99 + 4 + 97) * 128 + 2 * 12 * 128**2 + 5 * 2 * 128),
    ],
)
def test_full_sizes_have_the_stated_numbers_of_parameters(workload, parameters):
    model = workload.build_model(seeded())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("depth", "blocks"), [(8, 1), (20, 3), (32, 5)])
def test_a_residual_network_has_6n_plus_2_layers(depth, blocks):
    model = CifarResNet(depth=depth, width=4).build_model(seeded())
    on_the_path = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in name
    ]
    assert len(model.blocks) == 3 * blocks
    assert len(on_the_path) == depth


def test_residual_blocks_are_pre_activated():
    """With a second convolution of zeros a block is the identity: nothing follows the addition (He et al. 2016b)."""
    block = CifarResNet(depth=8, width=4).build_model(seeded()).blocks[0]
    nn.init.zeros_(block.conv_2.weight)
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    assert torch.equal(block(x), x)
    order = []
    for name, module in block.named_modules():
        module.register_forward_hook(lambda *_, name=name: order.append(name))
    block(x)
    assert order == ["norm_1", "activation", "conv_1", "norm_2", "activation", "conv_2", ""]


def test_the_residual_network_and_its_batches_are_channels_last():
    workload = WORKLOADS["cifar_resnet"]
    model, batch = workload.build_model(seeded()), some_batch(workload)
    assert model.stem.weight.is_contiguous(memory_format=torch.channels_last)
    assert batch.inputs.shape == (16, 3, 32, 32)
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last)


def test_no_token_of_the_future_influences_a_prediction():
    workload = WORKLOADS["small_gpt"]
    model = workload.build_model(seeded())
    tokens = torch.randint(65, (2, 16), generator=seeded())
    changed = tokens.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % 65
    before, after = model(tokens), model(changed)
    assert torch.allclose(before[:, :9], after[:, :9], atol=1e-6)
    assert not torch.allclose(before[:, 9:], after[:, 9:], atol=1e-3)


def test_every_token_of_the_past_influences_a_prediction():
    model = WORKLOADS["small_gpt"].build_model(seeded())
    embedded = []
    model.tokens.register_forward_hook(lambda module, inputs, output: embedded.append(output) or output.retain_grad())
    model(torch.randint(65, (1, 16), generator=seeded()))[0, 9].square().sum().backward()
    influence = embedded[0].grad[0].abs().sum(1)
    assert (influence[:10] > 0).all() and (influence[10:] == 0).all()


def test_division_is_predicted_at_the_equals_sign_alone():
    workload = WORKLOADS["modular_division"]
    model, batch = workload.build_model(seeded()), some_batch(workload)
    assert torch.allclose(model(batch.inputs, last_only=True), model(batch.inputs)[:, -1], atol=1e-6)


@each_workload
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_all_activations_train_in_bfloat16(workload, activation):
    settings = {**vars(workload), "precision": "bfloat16", "activation": activation}
    workload = type(workload)(**settings)
    model = workload.build_model(seeded())
    loss = workload.loss(model, some_batch(workload, examples=4))
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_initial_scale_multiplies_every_drawn_weight():
    one, half = (FashionMnistMlp(hidden=(8,), init_scale=scale).build_model(seeded()) for scale in (1.0, 0.5))
    assert torch.allclose(half.hidden_0.weight, one.hidden_0.weight / 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CifarResNet(depth=10), "6 n"),
        (lambda: SmallGpt(width=100, heads=6), "multiple of heads"),
        (lambda: ModularDivision(modulus=91), "prime"),
        (lambda: ModularDivision(training_fraction=1.0), "training_fraction"),
        (lambda: FashionMnistMlp(precision="float16"), "float32 or bfloat16"),
        (lambda: FashionMnistMlp(activation="step"), "activation"),
        (lambda: FashionMnistMlp(batch_size="many"), "batch_size is 'many': give a whole number"),
        (lambda: SmallGpt(batch_size=0), "batch_size is 0: give at least 1"),
        (lambda: SmallGpt(layers=2.0), "layers is 2.0"),
        (lambda: SmallGpt(test_examples=1.5), "test_examples is 1.5"),
        (lambda: SmallGpt(init_scale="big"), "init_scale is 'big': give a number"),
    ],
)
def test_impossible_sizes_are_refused_with_the_choices(make, message):
    with pytest.raises(ValueError, match=message):
        make()
