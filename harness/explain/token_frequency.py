"""Why Adam beats SGD on language: rare tokens (Kunstner et al. 2024, "Heavy-tailed class imbalance").

The tokens of the training text are sorted by frequency and cut into ten groups that each make about a tenth of the
text: the first a few frequent tokens, the last most of the vocabulary. The validation loss of each group is followed
for SGD with momentum and for Adam, each at the best of a few rates by the loss at the end.
"""

import itertools
import math
from dataclasses import dataclass

import numpy
import pandas
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.report.colours import PALETTE
from timetrial.harness.workload import Batch

GROUPS = 10
IGNORED = 0
"""The token that fills sentences up, which is no target."""


@dataclass(frozen=True)
class Options(experiment.Options):
    suite: str = "miniature"
    workload: str = "multi30k_transformer"
    submission: tuple[str, ...] = ("momentum", "adamw")
    rates: tuple[float, ...] = (0.3, 1.0, 3.0, 0.001, 0.003, 0.01)
    """As many for each submission, one submission after the other."""
    steps: int = 250
    every: int = 25
    examples: int = 256
    """Of the validation split."""


def run(options: Options) -> Finding:
    each, rest = divmod(len(options.rates), len(options.submission))
    if rest or not each:
        raise UsageError(f"{len(options.rates)} rates for {len(options.submission)} submissions: give as many for each")
    workload = find_workload(options.suite, options.workload)
    train, validation = (workload.load(split, options.source) for split in ("train", "validation"))
    count = min(options.examples, workload.examples(validation))
    held_out = workload.batch(validation, torch.arange(count), torch.Generator().manual_seed(0))
    counts = frequencies(workload, train)
    group = groups_of(counts)
    rows = []
    for place, name in enumerate(options.submission):
        for rate in options.rates[place * each : (place + 1) * each]:
            values = hyperparameters_of(name, learning_rate=rate)
            training = Training(workload, name, values, steps=options.steps, data=train, seed=options.seed)
            rows += [{"submission": name, "rate": rate, **row} for row in follow(training, held_out, group, options)]
    table = best_rates(pandas.DataFrame(rows))
    numbers = summarise(table, counts, group, options)
    return Finding(table, numbers, describe(numbers, options), lambda: draw(table, counts, options))


def frequencies(workload, data) -> Tensor:
    """Count each token among the targets of the training split, (vocabulary,)."""
    targets = workload.batch(data, torch.arange(workload.examples(data)), torch.Generator().manual_seed(0)).targets
    counts = torch.bincount(targets.flatten())
    counts[IGNORED] = 0
    return counts


def groups_of(counts: Tensor) -> Tensor:
    """Cut tokens, the most frequent first, into groups of about a tenth of the text; gives the group of each token."""
    order = counts.argsort(descending=True, stable=True)
    share = counts[order].cumsum(0) / counts.sum()
    before = share - counts[order] / counts.sum()
    group = torch.empty_like(order)
    group[order] = ((before + share) / 2 * GROUPS).long().clamp(max=GROUPS - 1)
    return group


def follow(training: Training, held_out: Batch, group: Tensor, options: Options) -> list[dict]:
    """Train, and give a row for each group, before and every so many steps: the mean validation loss of its tokens."""
    rows = []
    for step in itertools.chain([0], training.run(options.steps)):
        if step % options.every:
            continue
        losses = group_losses(training.model, held_out, group)
        rows += [{"step": step, "group": g, "loss": loss} for g, loss in enumerate(losses)]
    return rows


def group_losses(model: torch.nn.Module, batch: Batch, group: Tensor) -> list[float]:
    """Compute the mean loss of the targets in each group, NaN for a group without any."""
    targets = batch.targets.flatten()
    counted = targets != IGNORED
    with torch.inference_mode():
        inputs = batch.inputs if isinstance(batch.inputs, tuple) else (batch.inputs,)
        logits = model.eval()(*inputs).flatten(0, -2)
    model.train()
    losses = F.cross_entropy(logits[counted].float(), targets[counted], reduction="none")
    of = group[targets[counted]]
    sums, counts = (torch.bincount(of, weights, minlength=GROUPS) for weights in (losses.double(), None))
    return (sums / counts).tolist()


def best_rates(table: pandas.DataFrame) -> pandas.DataFrame:
    """Keep of each submission the rate with the lowest mean loss over groups at the end."""
    ends = table[table.step == table.step.max()].groupby(["submission", "rate"]).loss.mean().fillna(math.inf)
    best = ends.groupby("submission").idxmin()
    return table[[(row.submission, row.rate) in set(best) for row in table.itertuples()]].reset_index(drop=True)


def summarise(table: pandas.DataFrame, counts: Tensor, group: Tensor, options: Options) -> dict[str, float]:
    there = counts > 0
    numbers: dict[str, float] = {
        "tokens_first": float(((group == 0) & there).sum()),
        "tokens_last": float(((group == GROUPS - 1) & there).sum()),
    }
    for name in options.submission:
        own = table[table.submission == name]
        numbers[f"rate_{name}"] = float(own.rate.iloc[0])
        losses = own.pivot(index="step", columns="group", values="loss")
        drop = losses.iloc[0] - losses.iloc[-1]
        numbers |= {f"drop_{name}_{g}": float(drop[g]) for g in range(GROUPS)}
    return numbers


def describe(n: dict[str, float], options: Options) -> str:
    one, other = options.submission[0], options.submission[-1]
    gaps = [n[f"drop_{other}_{g}"] - n[f"drop_{one}_{g}"] for g in range(GROUPS)]
    frequent, rare = numpy.mean(gaps[:3]), numpy.mean(gaps[-3:])
    said = (
        f"It grows from {frequent:+.2f} on the three most frequent groups to {rare:+.2f} on the three rarest: the "
        "advantage lies with rare tokens."
        if rare > frequent
        else f"It is {frequent:+.2f} on the three most frequent groups and {rare:+.2f} on the three rarest: that the "
        "advantage lies with rare tokens did not show."
    )
    return (
        f"On {options.workload}, a tenth of the text is {n['tokens_first']:.0f} token(s), the last tenth "
        f"{n['tokens_last']:.0f}. In {options.steps} steps {one} (rate {n[f'rate_{one}']:g}) lowers the loss of the "
        f"rarest group by {n[f'drop_{one}_{GROUPS - 1}']:.2f} and {other} (rate {n[f'rate_{other}']:g}) by "
        f"{n[f'drop_{other}_{GROUPS - 1}']:.2f} nats. How much more {other} gains: {said}"
    )


def draw(table: pandas.DataFrame, counts: Tensor, options: Options) -> Figure:
    figure = Figure(figsize=(6.6, 2.4))
    panels = figure.subplots(1, 1 + len(options.submission))
    ranked = counts.sort(descending=True).values
    ranked = ranked[ranked > 0]
    panels[0].plot(numpy.arange(1, len(ranked) + 1), ranked.numpy(), color=PALETTE[0])
    panels[0].set(xscale="log", yscale="log", xlabel="rank of the token", ylabel="occurrences")
    for ax, name in zip(panels[1:], options.submission, strict=True):
        for g, rows in table[table.submission == name].groupby("group"):
            ax.plot(rows.step, rows.loss, color=(0.9 * g / GROUPS, 0.2, 1 - 0.9 * g / GROUPS), linewidth=0.9)
        ax.set(xlabel="steps", ylabel="loss (red: rare tokens)", title=name, ylim=(0, None))
    return figure
