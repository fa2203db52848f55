"""Where the memory of training goes: computed for a transformer of a known size, and measured for our workloads.

The computed part follows Rajbhandari et al. 2020 (ZeRO, sections 3.1 and 3.2): with mixed precision a parameter has 2
bytes of weight, 2 of gradient, and 12 of optimizer (weight, momentum and variance in fp32, for Adam); activations are
about 12 x hidden x batch x sequence x layers numbers of 2 bytes, and with checkpointing one input of each layer and
the activations of one layer. A GB is 10^9 bytes. The measured part counts bytes of tensors: those that autograd keeps
for one batch, and those of the state of each submission after some steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas
import torch
from matplotlib.figure import Figure

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.planning.catalogue import submission_names
from timetrial.harness.planning.configuration import compose
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import Workload


@dataclass(frozen=True)
class Transformer:
    layers: int
    hidden: int
    vocabulary: int = 50257
    context: int = 1024

    @property
    def parameters(self) -> int:
        """Count weights, biases and norms of GPT-2 (Radford et al. 2019), whose output layer is its embedding."""
        layer = 12 * self.hidden**2 + 13 * self.hidden
        return self.layers * layer + (self.vocabulary + self.context + 2) * self.hidden


MODELS = {
    "gpt2_124m": Transformer(12, 768),
    "gpt2_355m": Transformer(24, 1024),
    "gpt2_774m": Transformer(36, 1280),
    "gpt2_1.5b": Transformer(48, 1600),
}
SMALL_BATCH = 4
"""The batch size while states are counted, which do not depend on it."""
PARTS = ("weights", "gradients", "optimizer", "activations")


@dataclass(frozen=True)
class Options(experiment.Options):
    model: str = "gpt2_1.5b"
    batch: int = 32
    """Sequences of 1,024 tokens."""
    suite: str = "mini"
    submission: tuple[str, ...] = ("all",)
    """`all`, or the names of some."""
    steps: int = 20
    """Steps after which the state is counted: some methods make part of it late."""


def run(options: Options) -> Finding:
    if options.model not in MODELS:
        raise UsageError(f"unknown model {options.model!r}: choose of {', '.join(MODELS)}")
    rows = [{"model": options.model, **row} for row in computed(MODELS[options.model], options.batch)]
    names = submission_names() if options.submission == ("all",) else options.submission
    for workload_name in compose([f"suite={options.suite}", "submission=template"])["suite"]["workloads"]:
        workload = find_workload(options.suite, workload_name)
        rows += [{"model": workload_name, **row} for row in measured(workload, names, options)]
    table = pandas.DataFrame(rows)
    named = table[table.model == options.model].set_index("setting")
    ours = table[table.model != options.model].assign(share=lambda t: t.optimizer / t.parameters)
    state = ours.groupby("setting").share.mean().sort_values()
    numbers = {
        **{f"{part}_gb": named.loc["mixed", part] / 1e9 for part in PARTS},
        "full_precision_gb": named.loc["full", list(PARTS)].sum() / 1e9,
        "checkpointed_activations_gb": named.loc["mixed, checkpointed", "activations"] / 1e9,
        **{f"state_bytes_per_parameter_{name}": float(share) for name, share in state.items()},
        **{f"activations_share_{m}": float((r.activations / r[list(PARTS)].sum(axis=1)).median())
           for m, r in ours.groupby("model")},
    }  # fmt: skip
    return Finding(table, numbers, describe(numbers, options, state), lambda: draw(table, options, state))


def computed(model: Transformer, batch: int) -> list[dict[str, Any]]:
    """Compute the bytes of each part with Adam: in full and in mixed precision, the latter with checkpointing too."""
    p, tokens = model.parameters, batch * model.context
    layer, inputs = 12 * model.hidden * tokens, model.hidden * tokens
    kept = model.layers * layer
    settings = {
        "full": (4 * p, 4 * p, 8 * p, 4 * kept),
        "mixed": (2 * p, 2 * p, 12 * p, 2 * kept),
        "mixed, checkpointed": (2 * p, 2 * p, 12 * p, 2 * (model.layers * inputs + layer)),
    }
    return [
        {"setting": name, "parameters": p, **dict(zip(PARTS, sizes, strict=True))} for name, sizes in settings.items()
    ]


def measured(workload: Workload, names: tuple[str, ...] | list[str], options: Options) -> list[dict[str, Any]]:
    """Train each submission for some steps; a row with the bytes of each part."""
    common = {"steps": options.steps, "data": workload.load("train", options.source), "seed": options.seed}
    activations = activation_bytes(Training(workload, "sgd", **common))
    quick, rows = replace(workload, batch_size=SMALL_BATCH), []
    for name in names:
        training = Training(quick, name, hyperparameters_of(name), **common)
        training.train(options.steps)
        weights = bytes_in(dict(training.model.named_parameters()))
        parameters = sum(p.numel() for p in training.model.parameters())
        state = bytes_in(training.submission.state_dict())
        sizes = dict(zip(PARTS, (weights, weights, state, activations), strict=True))
        rows.append({"setting": name, "parameters": parameters, **sizes})
    return rows


def activation_bytes(training: Training) -> int:
    """Count what autograd keeps for the loss of one batch, each storage once, without the model's own tensors."""
    own = {t.untyped_storage().data_ptr() for t in (*training.model.parameters(), *training.model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = training.workload.loss(training.model, training.batches.next())
    del loss  # until here the graph keeps every storage, so that no address is used twice
    return sum(kept.values())


def bytes_in(state: Any) -> int:
    """Count the bytes of the tensors in nested dicts and lists."""
    if torch.is_tensor(state):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(map(bytes_in, state.values()))
    return sum(map(bytes_in, state)) if isinstance(state, list | tuple) else 0


def describe(n: dict[str, float], options: Options, state: pandas.Series) -> str:
    """Begin with what was measured where somebody asked for submissions by name."""
    total = sum(n[f"{part}_gb"] for part in PARTS)
    shares = ", ".join(f"{100 * v:.0f} % ({k.removeprefix('activations_share_')})"
                       for k, v in n.items() if k.startswith("activations_share_"))  # fmt: skip
    known = (
        f"Training {options.model} with Adam in mixed precision on {options.batch} x 1,024 tokens takes "
        f"{total:.0f} GB: {n['weights_gb']:.1f} of weights, {n['gradients_gb']:.1f} of gradients, "
        f"{n['optimizer_gb']:.1f} of optimizer, {n['activations_gb']:.1f} of activations, which checkpointing makes "
        f"{n['checkpointed_activations_gb']:.1f}; in full precision {n['full_precision_gb']:.0f} GB."
    )
    least, most = state.index[0], state.index[-1]
    if least == most:
        size = f"the state of {least} is {state.iloc[0]:.1f} bytes a parameter"
    else:
        size = f"the state is from {state.iloc[0]:.1f} ({least}) to {state.iloc[-1]:.1f} ({most}) bytes a parameter"
    found = (
        f"Measured on {options.suite}, activations are this share of all, in the median over submissions: {shares}; "
        f"{size}."
    )
    return f"{known} {found}" if options.submission == ("all",) else f"{found} {known}"


def draw(table: pandas.DataFrame, options: Options, state: pandas.Series) -> Figure:
    figure = Figure(figsize=(6.6, 2.6 + 0.085 * len(state)))
    left, right = figure.subplots(1, 2)
    named = table[table.model == options.model]
    bottom = 0.0
    for part, colour in zip(PARTS, PALETTE, strict=False):
        left.bar(["full", "mixed", "mixed,\ncheckpointed"], named[part] / 1e9, bottom=bottom, label=part, color=colour)
        bottom = bottom + named[part].to_numpy() / 1e9
    left.set(ylabel="GB", title=options.model)
    left.legend()
    right.barh(state.index, state.to_numpy(), color=PALETTE[2])
    right.tick_params(axis="y", labelsize=4.5)
    right.set(xlabel="bytes of state per parameter", title=f"measured, mean over {options.suite}")
    return figure
