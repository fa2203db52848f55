"""Learning-rate schedules: each is a factor on the learning rate of every group, as a function of the step.

Every schedule warms up linearly over the same share of the steps, plans for `steps` steps (a task's step hint), and
stays afterwards where it then is; it never starts again. In the formulas t counts steps from 0, w is the number of
warm-up steps, T is `steps`, and p = (t - w) / (T - w), held in [0, 1], is the progress since the warm-up.
"""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

WARMUP = 0.05
"""The share of the steps that every submission warms up for."""


def warmup_steps(steps: int, warmup: float = WARMUP) -> int:
    """Count the warm-up steps: `warmup` of `steps`, rounded."""
    return round(warmup * steps)


def scheduled(optimizer: Optimizer, steps: int, warmup: float, factor: Callable[[float], float]) -> LambdaLR:
    """Warm up with factors 1/w, 2/w, ..., 1, then follow `factor`, a function of the progress p."""
    w = warmup_steps(steps, warmup)

    def learning_rate_factor(t: int) -> float:
        if t < w:
            return (t + 1) / w
        return factor(min((t - w) / max(steps - w, 1), 1.0))

    return LambdaLR(optimizer, learning_rate_factor)


def constant(optimizer: Optimizer, steps: int, warmup: float = WARMUP) -> LambdaLR:
    """Keep the learning rate: factor 1."""
    return scheduled(optimizer, steps, warmup, lambda p: 1.0)


def step_decay(
    optimizer: Optimizer,
    steps: int,
    warmup: float = WARMUP,
    milestones: tuple[float, ...] = (0.5, 0.75, 0.9),
    decay: float = 0.1,
) -> LambdaLR:
    """Multiply by `decay` at each of `milestones`: factor decay^(number of milestones <= p) (after He et al. 2016)."""
    return scheduled(optimizer, steps, warmup, lambda p: decay ** sum(p >= m for m in milestones))


def cosine_with_warmup(optimizer: Optimizer, steps: int, warmup: float = WARMUP) -> LambdaLR:
    """Decay to zero along half a cosine: factor (1 + cos(pi p)) / 2 (Loshchilov & Hutter 2017, eq. 5)."""
    return scheduled(optimizer, steps, warmup, half_cosine)


def cosine_with_restarts(optimizer: Optimizer, steps: int, warmup: float = WARMUP, cycles: int = 3) -> LambdaLR:
    """Decay along half a cosine in each of `cycles` equal cycles (SGDR, Loshchilov & Hutter 2017, eq. 5)."""
    return scheduled(optimizer, steps, warmup, lambda p: half_cosine(cycle_progress(p, cycles)))


def cosine_cycles(optimizer: Optimizer, steps: int, warmup: float = WARMUP, cycles: int = 2) -> LambdaLR:
    """Warm up and decay along half a cosine in each of `cycles` equal cycles, of T / cycles steps.

    With u the steps since the cycle began: factor (u + 1) / w while u < w, then (1 + cos(pi q)) / 2 with
    q = (u - w) / (T / cycles - w) (AlgoPerf's Cyclic LR, Kasimbeg et al. 2025).
    """
    w, length = warmup_steps(steps, warmup), steps / cycles

    def learning_rate_factor(t: int) -> float:
        if t >= steps:
            return 0.0
        u = t - int(t / length) * length
        return min((u + 1) / w, 1.0) if u < w else half_cosine(min((u - w) / max(length - w, 1.0), 1.0))

    return LambdaLR(optimizer, learning_rate_factor)


def inverse_sqrt(optimizer: Optimizer, steps: int, warmup: float = WARMUP) -> LambdaLR:
    """Decay as sqrt(w / (t + 1)) after the warm-up (Vaswani et al. 2017, eq. 3, divided by its peak)."""
    w = max(warmup_steps(steps, warmup), 1)
    return LambdaLR(optimizer, lambda t: min((t + 1) / w, math.sqrt(w / (min(t, steps) + 1))))


def linear(optimizer: Optimizer, steps: int, warmup: float = WARMUP) -> LambdaLR:
    """Decay to zero along a line: factor 1 - p."""
    return scheduled(optimizer, steps, warmup, lambda p: 1.0 - p)


def warmup_stable_decay(optimizer: Optimizer, steps: int, warmup: float = WARMUP, decay: float = 0.2) -> LambdaLR:
    """Keep the learning rate, then cool down to zero over the last `decay` of the progress.

    Factor min(1, (1 - p) / decay) (Hu et al. 2024, with the linear cool-down of Hägele et al. 2024).
    """
    return scheduled(optimizer, steps, warmup, lambda p: min(1.0, (1.0 - p) / decay))


def cyclic(
    optimizer: Optimizer, steps: int, warmup: float = WARMUP, cycles: int = 3, lowest: float = 0.1, final: float = 0.2
) -> LambdaLR:
    """Go between 1 and `lowest` along triangles, `cycles` times, then to zero over the last `final` of the progress.

    The `triangular` policy of Smith (2017, section 3), begun at its peak because the warm-up leads there.
    """

    def factor(p: float) -> float:
        if p >= 1.0 - final:
            return (1.0 - p) / final
        return lowest + (1.0 - lowest) * abs(1.0 - 2.0 * cycle_progress(p / (1.0 - final), cycles))

    return scheduled(optimizer, steps, warmup, factor)


def exponentially_growing(optimizer: Optimizer, growth: float) -> LambdaLR:
    """Multiply by `growth` > 1 at each step, for ever: factor growth^t, without a warm-up (Li & Arora 2020, section 2).

    Groups with `grows` set to False keep their learning rate.
    """
    factors = [growth if group.get("grows", True) else 1.0 for group in optimizer.param_groups]
    return LambdaLR(optimizer, [lambda t, factor=factor: factor**t for factor in factors])


def half_cosine(p: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * p))


def cycle_progress(p: float, cycles: int) -> float:
    """Give the progress within a cycle; the end of the last cycle is 1, not a new beginning."""
    return 1.0 if p >= 1.0 else (p * cycles) % 1.0
