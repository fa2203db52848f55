"""Models whose every initial weight comes from one given generator."""

from collections.abc import Callable

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


def check_activation(name: str) -> None:
    """Raise `ValueError` where `name` is none of `ACTIVATIONS`."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation is {name!r}: choose one of {', '.join(ACTIVATIONS)}")


Std = Callable[[str, nn.Module], float]


def build(construct: Callable[[], nn.Module], std: Std, generator: torch.Generator) -> nn.Module:
    """Build a model on the CPU, its weights drawn from `generator` in the order of its modules.

    Weights of linear, convolution, recurrent and embedding layers are normal with the standard deviation
    `std(name, module)`, biases are 0, normalisation layers are the identity. The model is constructed on the meta
    device, where layers draw nothing, so that torch's global random state is neither used nor advanced.
    """
    with torch.device("meta"):
        model = construct()
    model.to_empty(device="cpu")
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.LSTM):
                for parameter_name, parameter in module.named_parameters():
                    if parameter_name.startswith("bias"):
                        parameter.zero_()
                    else:
                        parameter.normal_(0.0, std(name, module), generator=generator)
            elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
                module.weight.normal_(0.0, std(name, module), generator=generator)
                if getattr(module, "bias", None) is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
                module.reset_parameters()
            elif any(True for _ in module.parameters(recurse=False)):
                raise TypeError(f"no initialisation is known for {name} of type {type(module).__name__}")
    return model


def fan_in(module: nn.Linear | nn.Conv1d | nn.Conv2d) -> int:
    """Count the inputs that each output of a layer sums over."""
    return module.weight[0].numel()


def he_std(module: nn.Linear | nn.Conv1d | nn.Conv2d) -> float:
    """Standard deviation that keeps the scale of activations through rectifiers (He et al. 2015, equation 10)."""
    return (2.0 / fan_in(module)) ** 0.5
