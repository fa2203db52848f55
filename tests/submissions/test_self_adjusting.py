"""Methods that set a rate or an average by themselves, against the equations of their papers."""

import math

import pytest
import torch

from tests.submissions.equations import STEPS, assert_follows, assert_follows_together, cosine, warm
from tests.submissions.test_first_order import ADAM, MOMENTUM
from timetrial.submissions.amos.submission import scales as amos_scales
from timetrial.submissions.yellowfin.submission import YellowFin


def dot(a, b):
    return sum((a[key] * b[key]).sum().item() for key in a)


def test_schedule_free_adamw():
    def equations(w, gradient, rate, decay, h):
        z, x, v, total = w, w, 0, 0
        for t in range(1, STEPS + 1):
            y = (1 - h.beta1) * z + h.beta1 * x
            g = gradient(y, t - 1)
            v = h.beta2 * v + (1 - h.beta2) * g**2
            z = z - rate(t - 1) * (g / ((v / (1 - h.beta2**t)).sqrt() + 1e-8) + decay * y)
            total = total + rate(t - 1) ** 2
            c = rate(t - 1) ** 2 / total
            x = (1 - c) * x + c * z
        return x

    assert_follows("schedule_free_adamw", ADAM, equations, schedule=warm)


def prodigy(weights, gradients, rate, decays, h, beta1, average=None):
    """Write out Prodigy's Adam version with the safeguarded warm-up; `average` is the momentum of Schedule-Free."""
    d, r, total, b = 1e-6, 0.0, 0.0, math.sqrt(h.beta2)
    start, x = weights, weights
    m, v, s = (dict.fromkeys(weights, 0) for _ in range(3))
    for t in range(STEPS):
        seen = weights if average is None else {k: (1 - average) * w + average * x[k] for k, w in weights.items()}
        g = gradients(seen, t)
        r = b * r + rate(t) * d**2 * dot(g, {key: start[key] - weights[key] for key in weights})
        s = {key: b * s[key] + d**2 * g[key] for key in s}
        m = {key: beta1 * m[key] + (1 - beta1) * d * g[key] for key in m}
        v = {key: h.beta2 * v[key] + (1 - h.beta2) * d**2 * g[key] ** 2 for key in v}
        step = d * rate(t)
        d = max(d, h.d_coef * r / sum(x.abs().sum().item() for x in s.values()))
        weights = {
            key: (1 - step * decays[key]) * w - step * m[key] / (v[key].sqrt() + d * 1e-8) for key, w in weights.items()
        }
        total += step**2
        x = {key: x[key] + step**2 / total * (weights[key] - x[key]) for key in x}
    return weights if average is None else x


def test_prodigy():
    values = {"beta1": 0.9, "beta2": 0.95, "d_coef": 2.0, "weight_decay": 0.3}
    assert_follows_together("prodigy", values, lambda *given: prodigy(*given, beta1=0.9))


def test_schedule_free_prodigy():
    values = {"beta1": 0.9, "beta2": 0.95, "d_coef": 2.0, "weight_decay": 0.3}
    assert_follows_together(
        "schedule_free_prodigy", values, lambda *given: prodigy(*given, beta1=0.0, average=0.9), schedule=warm
    )


def test_dadapt_adam():
    def equations(weights, gradients, rate, decays, h):
        d, r, b = h.d0, 0.0, math.sqrt(h.beta2)
        m, v, s = ({key: 0 * w for key, w in weights.items()} for _ in range(3))
        for t in range(STEPS):
            g = gradients(weights, t)
            step = d * rate(t)
            r = b * r + (1 - b) * step * dot(g, {key: s[key] / (v[key].sqrt() + 1e-8) for key in s})
            m = {key: h.beta1 * m[key] + (1 - h.beta1) * step * g[key] for key in m}
            v = {key: h.beta2 * v[key] + (1 - h.beta2) * g[key] ** 2 for key in v}
            s = {key: b * s[key] + (1 - b) * step * g[key] for key in s}
            d = max(d, r / ((1 - b) * sum(x.abs().sum().item() for x in s.values())))
            weights = {
                key: (1 - step * decays[key]) * w - m[key] / (v[key].sqrt() + 1e-8) for key, w in weights.items()
            }
        return weights

    values = {"beta1": 0.9, "beta2": 0.95, "d0": 1e-4, "weight_decay": 0.3}
    assert_follows_together("dadapt_adam", values, equations)


def test_amos():
    def equations(w, gradient, rate, decay, h):
        eta = {1: 0.5, 2: math.sqrt(2 / 3), 4: math.sqrt(8 / 9)}[w.ndim]
        m, v, b = 0, 0, 0
        for t in range(1, STEPS + 1):
            g, xi = gradient(w, t - 1), rate(t - 1) / math.sqrt(320 / 32)  # batches in the training set
            g2 = (g**2).mean() if w.ndim == 1 else (g**2).flatten(1).mean(1).view(-1, *[1] * (w.ndim - 1))
            v = h.beta2 * v + (1 - h.beta2) * g2
            v_hat = v / (1 - h.beta2**t)
            gamma = (1 + math.sqrt(xi) * b / 4) ** -0.5 * xi**2 / v_hat * g2
            u = (xi * eta / v_hat.sqrt() * g + gamma * w / 2) / (1 + math.sqrt(xi * eta) * b / 4)
            b = b + gamma * (1 + b)
            m = h.beta1 * m + (1 - h.beta1) * u
            w = w - m
        return w

    assert_follows("amos", {"learning_rate": 1.0, "beta1": 0.9, "beta2": 0.95}, equations, schedule=warm)


def test_amos_takes_the_scale_of_a_weight_from_its_place():
    """As its authors' code has it for a network on images, and for transformers."""
    shapes = {"stem": (16, 3, 5, 5), "inner": (32, 16, 3, 3), "dense": (64, 48), "head": (10, 64), "bias": (10,)}
    roles = dict(stem="convolution", inner="convolution", dense="hidden_matrix", head="output", bias="bias")
    model = torch.nn.ParameterDict({name: torch.zeros(shape) for name, shape in shapes.items()})
    etas = {name: amos_scales(model, roles)[p] for name, p in model.named_parameters()}
    assert etas == pytest.approx(
        {
            "stem": math.sqrt(8 / 25),
            "inner": math.sqrt(2 / 144),
            "dense": math.sqrt(2 / 48),
            "head": math.sqrt(1 / 64),
            "bias": 0.5,
        }
    )
    roles["dense"] = "embedding"  # then no kernel reads an image
    etas = amos_scales(model, roles)
    assert etas[model["stem"]] == pytest.approx(math.sqrt(2 / 75))
    assert etas[model["dense"]] == pytest.approx(math.sqrt(2 / 48))


class YellowFinByHand:
    """The authors' code for one list of numbers, in plain Python; `step` gives the clipped list, momentum and rate."""

    def __init__(self, beta):
        self.beta, self.t, self.window, self.averages = beta, 0, [], {}
        self.h_max = self.threshold = math.inf

    def smooth(self, name, value):
        self.averages[name] = self.beta * self.averages.get(name, 0) + (1 - self.beta) * value
        return self.averages[name] / (1 - self.beta**self.t)

    def step(self, g):
        self.t += 1
        eps, before, threshold = 1e-6, self.h_max, self.threshold
        norm = math.sqrt(sum(x * x for x in g))
        if self.t > 2 and norm > math.sqrt(100 * self.h_max):
            g = [x * math.sqrt(100 * self.h_max) / norm for x in g]
            norm = math.sqrt(100 * self.h_max)
        self.window = [*self.window, norm**2][-20:]
        self.h_max = self.smooth("h_max", max(self.window))
        self.threshold = math.exp(self.smooth("log_h_max", math.log(max(self.window) + eps)))
        h_min = math.exp(self.smooth("log_h_min", math.log(min(self.window) + eps)))
        means = [self.smooth(i, x) for i, x in enumerate(g)]
        variance = max(self.smooth("square", norm**2) - sum(x * x for x in means), eps)
        self.smooth("norm", norm)
        distance = self.smooth("distance", self.averages["norm"] / (self.averages["square"] + eps))
        # minimise x^2 distance^2 + (1 - x)^4 variance / h_min^2: the derivative has one root in (0, 1)
        low, high = 0.0, 1.0
        for _ in range(200):
            x = (low + high) / 2
            slope = x * (distance + eps) ** 2 - 2 * (1 - x) ** 3 * (variance + eps) / (h_min + eps) ** 2
            low, high = (x, high) if slope < 0 else (low, x)
        ratio = math.sqrt(max((self.h_max + eps) / (h_min + eps), 1 + eps))
        momentum = max(x, (ratio - 1) / (ratio + 1)) ** 2
        rate = (1 - math.sqrt(momentum)) ** 2 / (h_min + eps) * min(1, self.t / 200)
        if self.t == 1:
            momentum, rate = 0.0, 1e-4
        if norm**2 >= threshold and norm > math.sqrt(before):
            g = [x * math.sqrt(before) / norm for x in g]
        return g, momentum, rate


def test_yellowfin():
    def equations(weights, gradients, rate, decays, h):
        tuner, v = YellowFinByHand(h.beta), dict.fromkeys(weights, 0)
        for t in range(STEPS):
            g = gradients(weights, t)
            flat, momentum, step = tuner.step(torch.cat([x.flatten() for x in g.values()]).tolist())
            parts = torch.tensor(flat, dtype=torch.float64).split([x.numel() for x in g.values()])
            for (key, w), part in zip(weights.items(), parts, strict=True):
                v[key] = momentum * v[key] + part.view_as(w) + decays[key] * w
            weights = {key: w - rate(t) * step * v[key] for key, w in weights.items()}
        return weights

    values = {"learning_rate": 10.0, "beta": 0.9, "weight_decay": 0.02}
    assert_follows_together("yellowfin", values, equations)


def test_yellowfin_follows_gradients_that_grow_tenfold():
    """It clips what it applies, not what it measures: the curvature range and the rate follow in a few windows."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    optimizer = YellowFin([weight], lr=1.0, beta=0.99)
    by_hand, group = YellowFinByHand(0.99), optimizer.param_groups[0]
    curvatures, rates = [], []
    for t in range(400):
        gradient = torch.randn(50, dtype=torch.float64) * (1.0 if t < 200 else 10.0)
        weight.grad = gradient.clone()
        optimizer.step()
        clipped, momentum, rate = by_hand.step(gradient.tolist())
        assert torch.allclose(weight.grad, torch.tensor(clipped, dtype=torch.float64), rtol=1e-8)
        assert (group["momentum"], group["rate"]) == pytest.approx((momentum, rate), rel=1e-6)
        curvatures.append(group["h_max"])
        rates.append(group["rate"])
    assert curvatures[200] > 1.3 * curvatures[199]  # the first large gradient, although it is clipped
    assert curvatures[399] > 50 * curvatures[199]
    assert rates[399] < rates[199] / 10


def snapshots(w, gradient, rate, decay, h, step):
    """Give the weights after each step of `step(w, g, rate, decay, t, state)`."""
    state, path = {}, []
    for t in range(STEPS):
        w = step(w, gradient(w, t), rate(t), decay, t + 1, state, h)
        path.append(w)
    return path


def nadamw_step(w, g, rate, decay, t, state, h):
    m = state["m"] = h.beta1 * state.get("m", 0) + (1 - h.beta1) * g
    v = state["v"] = h.beta2 * state.get("v", 0) + (1 - h.beta2) * g**2
    ahead = (h.beta1 * m + (1 - h.beta1) * g) / (1 - h.beta1**t)
    return (1 - rate * decay) * w - rate * ahead / ((v / (1 - h.beta2**t)).sqrt() + 1e-8)


def test_lawa_queue():
    def equations(*given):
        path = snapshots(*given, nadamw_step)
        return torch.stack([path[t] for t in (2, 4, 6)]).mean(0)

    assert_follows("lawa_queue", ADAM | {"k": 3, "interval": 0.05}, equations)


def test_lawa_ema():
    def equations(*given):
        path = snapshots(*given, nadamw_step)
        average = path[0]  # 2 % of 40 steps
        for t in (2, 4, 6):
            average = 0.8 * average + 0.2 * path[t]
        return average

    assert_follows("lawa_ema", ADAM | {"decay": 0.8, "interval": 0.05}, equations)


def test_swa_averages_equally_from_its_start_on():
    from tests.submissions.toy import build, weights_in_evaluation

    values = MOMENTUM | {"final_rate": 0.5}
    model, submission = build("swa", values, step_hint=40)
    seen = []
    for t in range(1, 41):
        submission.training_step(submission.task.next_batch())
        if t >= 30:
            seen.append({key: p.clone() for key, p in model.state_dict().items()})
    average = weights_in_evaluation(model, submission)
    for key, value in average.items():
        if value.is_floating_point():
            expected = torch.stack([weights[key] for weights in seen]).mean(0)
            assert torch.allclose(value, expected, atol=1e-6), key
    factors = [group["lr"] / MOMENTUM["learning_rate"] for group in submission.optimizer.param_groups]
    assert all(abs(factor - 0.5) < 1e-12 for factor in factors)


def test_swa_before_its_start_is_momentum():
    def equations(w, gradient, rate, decay, h):
        v = 0
        for t in range(STEPS):
            v = h.momentum * v + gradient(w, t) + decay * w
            w = w - rate(t) * v
        return w

    def schedule(t):
        if t < 2:
            return (t + 1) / 2
        return 0.5 + 0.5 * 0.5 * (1 + math.cos(math.pi * min((t - 2) / 28, 1)))

    assert schedule(30) == 0.5 and cosine(40) == 0.0
    assert_follows("swa", MOMENTUM | {"final_rate": 0.5}, equations, schedule=schedule)
