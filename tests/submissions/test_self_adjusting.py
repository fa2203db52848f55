"""Methods that set a rate or an average by themselves, against the equations of their papers."""

import math

import torch

from tests.submissions.equations import STEPS, assert_follows, assert_follows_together, cosine, warm
from tests.submissions.test_first_order import ADAM, MOMENTUM


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
        eta = {1: 0.5, 2: math.sqrt(2 / 3), 4: math.sqrt(8 / 18)}[w.ndim]
        m, v, b = 0, 0, 0
        for t in range(1, STEPS + 1):
            g, xi = gradient(w, t - 1), rate(t - 1)
            g2 = (g**2).mean() if w.ndim == 1 else (g**2).flatten(1).mean(1).view(-1, *[1] * (w.ndim - 1))
            v = h.beta2 * v + (1 - h.beta2) * g2
            v_hat = v / (1 - h.beta2**t)
            gamma = (1 + math.sqrt(xi) * b / 4) ** -0.5 * xi**2 / v_hat * g2
            u = (xi * eta / v_hat.sqrt() * g + gamma * w / 2) / (1 + math.sqrt(xi * eta) * b / 4)
            b = b + gamma * (1 + b)
            m = h.beta1 * m + (1 - h.beta1) * u
            w = w - m
        return w

    assert_follows("amos", {"learning_rate": 0.2, "beta1": 0.9, "beta2": 0.95}, equations, schedule=warm)


def test_yellowfin():
    def equations(weights, gradients, rate, decays, h):
        window, averages, h_max = [], {}, math.inf
        v, g_mean, g_square = (dict.fromkeys(weights, 0) for _ in range(3))

        def smooth(name, value, t):
            averages[name] = h.beta * averages.get(name, 0) + (1 - h.beta) * value
            return averages[name] / (1 - h.beta**t)

        for t in range(1, STEPS + 1):
            g = {key: x + decays[key] * weights[key] for key, x in gradients(weights, t - 1).items()}
            norm = math.sqrt(dot(g, g))
            if norm > math.sqrt(h_max):
                g = {key: x * math.sqrt(h_max) / norm for key, x in g.items()}
                norm = math.sqrt(h_max)
            window = [*window, norm**2][-20:]
            h_max = math.exp(smooth("max", math.log(max(window)), t))
            h_min = math.exp(smooth("min", math.log(min(window)), t))
            g_mean = {key: h.beta * g_mean[key] + (1 - h.beta) * x for key, x in g.items()}
            g_square = {key: h.beta * g_square[key] + (1 - h.beta) * x**2 for key, x in g.items()}
            unbias = 1 - h.beta**t
            variance = sum(((g_square[key] / unbias) - (g_mean[key] / unbias) ** 2).sum().item() for key in g)
            variance = max(variance, 1e-30)
            distance = smooth("distance", smooth("norm", norm, t) / smooth("curvature", norm**2, t), t)
            # minimise x^2 distance^2 + (1 - x)^4 variance / h_min^2: the derivative has one root in (0, 1)
            low, high = 0.0, 1.0
            for _ in range(200):
                x = (low + high) / 2
                slope = x * distance**2 - 2 * (1 - x) ** 3 * variance / h_min**2
                low, high = (x, high) if slope < 0 else (low, x)
            root = max(x, (math.sqrt(h_max / h_min) - 1) / (math.sqrt(h_max / h_min) + 1))
            momentum = smooth("momentum", root**2, t)
            step = smooth("rate", (1 - root) ** 2 / h_min, t) * min(1, t / 200) * rate(t - 1)
            v = {key: momentum * v[key] - step * g[key] for key in v}
            weights = {key: w + v[key] for key, w in weights.items()}
        return weights

    values = {"learning_rate": 10.0, "beta": 0.9, "weight_decay": 0.02}
    assert_follows_together("yellowfin", values, equations)


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
        return torch.stack([path[t] for t in (3, 5, 7)]).mean(0)

    assert_follows("lawa_queue", ADAM | {"k": 3, "interval": 0.05}, equations)


def test_lawa_ema():
    def equations(*given):
        path = snapshots(*given, nadamw_step)
        average = path[1]
        for t in (3, 5, 7):
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
