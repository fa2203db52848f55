"""First-order methods against the update equations of their papers."""

import math

import pytest
import torch

from tests.submissions.equations import STEP_HINT, STEPS, assert_follows, assert_follows_together, warm

ADAM = {"learning_rate": 0.03, "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.3}
MOMENTUM = {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.02}


def test_sgd():
    def equations(w, gradient, rate, decay, h):
        for t in range(STEPS):
            w = w - rate(t) * (gradient(w, t) + decay * w)
        return w

    assert_follows("sgd", {"learning_rate": 0.1, "weight_decay": 0.02}, equations)


def heavy_ball(w, gradient, rate, decay, h):
    v = 0
    for t in range(STEPS):
        v = h.momentum * v + gradient(w, t) + decay * w
        w = w - rate(t) * v
    return w


def test_momentum():
    assert_follows("momentum", MOMENTUM, heavy_ball)


def test_nesterov():
    def equations(w, gradient, rate, decay, h):
        v = 0
        for t in range(STEPS):
            g = gradient(w, t) + decay * w
            v = h.momentum * v + g
            w = w - rate(t) * (g + h.momentum * v)
        return w

    assert_follows("nesterov", MOMENTUM, equations)


def test_adagrad():
    def equations(w, gradient, rate, decay, h):
        s = 0
        for t in range(STEPS):
            g = gradient(w, t)
            s = s + g**2
            w = w - rate(t) * decay * w - rate(t) * g / (s.sqrt() + 1e-10)
        return w

    assert_follows("adagrad", {"learning_rate": 0.05, "weight_decay": 0.3}, equations)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop(momentum):
    def equations(w, gradient, rate, decay, h):
        s, v = 0, 0
        for t in range(STEPS):
            g = gradient(w, t)
            s = h.alpha * s + (1 - h.alpha) * g**2
            v = h.momentum * v + g / (s.sqrt() + 1e-8)
            w = (1 - rate(t) * decay) * w - rate(t) * v
        return w

    values = {"learning_rate": 0.02, "alpha": 0.95, "momentum": momentum, "weight_decay": 0.3}
    assert_follows("rmsprop", values, equations)


def test_adadelta():
    def equations(w, gradient, rate, decay, h):
        square_g, square_d = 0, 0
        for t in range(STEPS):
            g = gradient(w, t) + decay * w
            square_g = h.rho * square_g + (1 - h.rho) * g**2
            d = ((square_d + 1e-6) / (square_g + 1e-6)) ** 0.5 * g
            square_d = h.rho * square_d + (1 - h.rho) * d**2
            w = w - rate(t) * d
        return w

    assert_follows("adadelta", {"learning_rate": 1.0, "rho": 0.9, "weight_decay": 0.01}, equations)


def adam_family(w, gradient, rate, h, eps=1e-8, l2=0.0, decay=0.0, largest=False):
    m, v, peak = 0, 0, 0
    for t in range(STEPS):
        g = gradient(w, t) + l2 * w
        m = h.beta1 * m + (1 - h.beta1) * g
        v = h.beta2 * v + (1 - h.beta2) * g**2
        peak = torch.maximum(v, torch.as_tensor(peak)) if largest else v
        m_hat, v_hat = m / (1 - h.beta1 ** (t + 1)), peak / (1 - h.beta2 ** (t + 1))
        w = w - rate(t) * decay * w - rate(t) * m_hat / (v_hat.sqrt() + eps)
    return w


def test_adam():
    assert_follows("adam", ADAM, lambda w, gradient, rate, decay, h: adam_family(w, gradient, rate, h, l2=decay))


@pytest.mark.parametrize("name", ["adamw", "template"])
def test_adamw(name):
    values = ADAM | ({"beta2": 0.999} if name == "template" else {})
    assert_follows(name, values, lambda w, gradient, rate, decay, h: adam_family(w, gradient, rate, h, decay=decay))


def test_adam_uncorrected():
    def equations(w, gradient, rate, decay, h):
        m, v = 0, 0
        for t in range(STEPS):
            g = gradient(w, t)
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            w = w - rate(t) * (decay * w + m / (v.sqrt() + 1e-8))
        return w

    assert_follows("adam_uncorrected", ADAM, equations)


def test_amsgrad():
    assert_follows(
        "amsgrad",
        ADAM,
        lambda w, gradient, rate, decay, h: adam_family(w, gradient, rate, h, decay=decay, largest=True),
    )


def test_nadam():
    def equations(w, gradient, rate, decay, h):
        m, v, product = 0, 0, 1
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            mu = h.beta1 * (1 - 0.5 * 0.96 ** (t * 0.004))
            mu_next = h.beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
            product = product * mu
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * m_hat / ((v / (1 - h.beta2**t)).sqrt() + 1e-8)
        return w

    assert_follows("nadam", ADAM, equations)


def test_radam():
    def equations(w, gradient, rate, decay, h):
        m, v, rho_end = 0, 0, 2 / (1 - h.beta2) - 1
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            m_hat = m / (1 - h.beta1**t)
            rho = rho_end - 2 * t * h.beta2**t / (1 - h.beta2**t)
            if rho > 5:  # the paper has 4; its authors' code, and torch, 5
                rectified = math.sqrt((rho - 4) * (rho - 2) * rho_end / ((rho_end - 4) * (rho_end - 2) * rho))
                u = rectified * m_hat * math.sqrt(1 - h.beta2**t) / (v.sqrt() + 1e-8)
            else:
                u = m_hat
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * u
        return w

    assert_follows("radam", ADAM, equations)


def test_adafactor():
    def equations(w, gradient, rate, decay, h):
        rows, columns, v = 0, 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            step = max(1e-3, w.square().mean().sqrt()) * min(rate(t - 1), t**-0.5)
            beta = 1 - t**-0.8
            square = g**2 + 1e-30
            if w.ndim > 1:  # the last two dimensions are factored
                rows = beta * rows + (1 - beta) * square.sum(-1, keepdim=True)
                columns = beta * columns + (1 - beta) * square.sum(-2, keepdim=True)
                v = rows * columns / rows.sum(-2, keepdim=True)
            else:
                v = beta * v + (1 - beta) * square
            u = g / v.sqrt()
            u = u / max(1.0, u.square().mean().sqrt())
            w = (1 - rate(t - 1) * decay) * w - step * u
        return w

    assert_follows("adafactor", {"learning_rate": 0.1, "weight_decay": 0.1}, equations)


def test_lion():
    def equations(w, gradient, rate, decay, h):
        m = 0
        for t in range(STEPS):
            g = gradient(w, t)
            w = w - rate(t) * ((h.beta1 * m + (1 - h.beta1) * g).sign() + decay * w)
            m = h.beta2 * m + (1 - h.beta2) * g
        return w

    assert_follows("lion", ADAM, equations)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sign_sgd(momentum):
    def equations(w, gradient, rate, decay, h):
        m = 0
        for t in range(STEPS):
            m = h.momentum * m + (1 - h.momentum) * gradient(w, t)
            w = w - rate(t) * (m.sign() + decay * w)
        return w

    assert_follows("sign_sgd", MOMENTUM | {"momentum": momentum}, equations)


def test_normalized_sgd():
    def equations(weights, gradients, rate, decays, h):
        m = dict.fromkeys(weights, 0)
        for t in range(STEPS):
            g = gradients(weights, t)
            m = {key: h.momentum * m[key] + (1 - h.momentum) * g[key] for key in m}
            norm = torch.cat([x.flatten() for x in m.values()]).norm()
            weights = {key: (1 - rate(t) * decays[key]) * w - rate(t) * m[key] / norm for key, w in weights.items()}
        return weights

    assert_follows_together("normalized_sgd", MOMENTUM, equations)


def test_lars():
    def equations(w, gradient, rate, decay, h):
        v = 0
        for t in range(STEPS):
            g = gradient(w, t)
            ratio = h.trust * w.norm() / (g.norm() + decay * w.norm()) if w.ndim > 1 else 1
            v = h.momentum * v + rate(t) * ratio * (g + decay * w)
            w = w - v
        return w

    assert_follows("lars", MOMENTUM | {"trust": 0.5}, equations)


def test_lamb():
    def equations(w, gradient, rate, decay, h):
        m, v = 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            u = m / (1 - h.beta1**t) / ((v / (1 - h.beta2**t)).sqrt() + 1e-6) + decay * w
            w = w - rate(t - 1) * u * (w.norm() / u.norm() if w.ndim > 1 else 1)
        return w

    assert_follows("lamb", ADAM, equations)


def test_lookahead():
    def equations(w, gradient, rate, decay, h):
        slow, m, v = w, 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            u = m / (1 - h.beta1**t) / ((v / (1 - h.beta2**t)).sqrt() + 1e-8)
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * u
            if t % h.k == 0:
                slow = w = slow + h.alpha * (w - slow)
        return slow

    assert_follows("lookahead", ADAM | {"k": 3, "alpha": 0.5}, equations)


def test_aggmo():
    def equations(w, gradient, rate, decay, h):
        betas, v = (0.0, 0.9, 0.99), [0, 0, 0]
        for t in range(STEPS):
            g = gradient(w, t) + decay * w
            v = [beta * x - g for beta, x in zip(betas, v, strict=True)]
            w = w + rate(t) / 3 * sum(v)
        return w

    assert_follows("aggmo", {"learning_rate": 0.05, "velocities": 3, "weight_decay": 0.02}, equations)


def test_qhm():
    def equations(w, gradient, rate, decay, h):
        m = 0
        for t in range(STEPS):
            g = gradient(w, t) + decay * w
            m = h.beta * m + (1 - h.beta) * g
            w = w - rate(t) * ((1 - h.nu) * g + h.nu * m)
        return w

    assert_follows("qhm", {"learning_rate": 0.1, "beta": 0.9, "nu": 0.7, "weight_decay": 0.02}, equations)


def test_qhadam():
    def equations(w, gradient, rate, decay, h):
        m, v = 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            m = h.beta1 * m + (1 - h.beta1) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            numerator = (1 - h.nu1) * g + h.nu1 * m / (1 - h.beta1**t)
            denominator = ((1 - h.nu2) * g**2 + h.nu2 * v / (1 - h.beta2**t)).sqrt() + 1e-8
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * numerator / denominator
        return w

    assert_follows("qhadam", ADAM | {"nu1": 0.7, "nu2": 0.9}, equations)


def test_demon():
    def equations(w, gradient, rate, decay, h):
        v = 0
        for t in range(STEPS):
            left = 1 - t / STEP_HINT
            beta = h.momentum * left / ((1 - h.momentum) + h.momentum * left)
            v = beta * v - rate(t) * (gradient(w, t) + decay * w)
            w = w + v
        return w

    assert_follows("demon", MOMENTUM, equations, schedule=warm)


def test_adaplus():
    def equations(w, gradient, rate, decay, h):
        m, s = 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            m = h.beta1 * m + (1 - h.beta1) * g
            s = h.beta2 * s + (1 - h.beta2) * (g - m) ** 2 + 1e-8
            ahead = (h.beta1 * m + (1 - h.beta1) * g) / (1 - h.beta1**t)
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * ahead / (s / (1 - h.beta2**t)).sqrt()
        return w

    assert_follows("adaplus", ADAM, equations)


def test_adan():
    def equations(w, gradient, rate, decay, h):
        b1, b2, b3 = 1 - h.beta1, 1 - h.beta2, 1 - h.beta3  # the paper's
        m, v, n, before = 0, 0, 0, None
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            change = 0 * g if before is None else g - before
            m = (1 - b1) * m + b1 * g
            v = (1 - b2) * v + b2 * change
            n = (1 - b3) * n + b3 * (g + (1 - b2) * change) ** 2
            step = rate(t - 1) / ((n / (1 - h.beta3**t)).sqrt() + 1e-8)
            w = (w - step * (m / (1 - h.beta1**t) + (1 - b2) * v / (1 - h.beta2**t))) / (1 + rate(t - 1) * decay)
            before = g
        return w

    assert_follows("adan", ADAM | {"beta1": 0.98, "beta2": 0.92, "beta3": 0.99}, equations)


def test_ademamix():
    def equations(w, gradient, rate, decay, h):
        m1, m2, v = 0, 0, 0
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            done = t / STEP_HINT
            logs = math.log(h.beta1) * math.log(h.beta3)
            beta3 = min(math.exp(logs / ((1 - done) * math.log(h.beta3) + done * math.log(h.beta1))), h.beta3)
            m1 = h.beta1 * m1 + (1 - h.beta1) * g
            m2 = beta3 * m2 + (1 - beta3) * g
            v = h.beta2 * v + (1 - h.beta2) * g**2
            numerator = m1 / (1 - h.beta1**t) + done * h.alpha * m2
            u = numerator / ((v / (1 - h.beta2**t)).sqrt() + 1e-8) + decay * w
            w = w - rate(t - 1) * u
        return w

    assert_follows("ademamix", ADAM | {"beta3": 0.999, "alpha": 5.0}, equations)


def nadamw(w, gradient, rate, decay, h, power=2.0):
    m, v = 0, 0
    for t in range(1, STEPS + 1):
        g = gradient(w, t - 1)
        m = h.beta1 * m + (1 - h.beta1) * g
        v = h.beta2 * v + (1 - h.beta2) * g**2
        ahead = (h.beta1 * m + (1 - h.beta1) * g) / (1 - h.beta1**t)
        w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * ahead / ((v / (1 - h.beta2**t)) ** (1 / power) + 1e-8)
    return w


def test_baseline():
    assert_follows("baseline", ADAM, nadamw)


def test_cyclic_cosine():
    def schedule(t, cycle=20):  # of 40 steps; 5 % of 40 to warm up, in each cycle
        u = t % cycle
        return (u + 1) / 2 if u < 2 else 0.5 * (1 + math.cos(math.pi * (u - 2) / (cycle - 2)))

    assert_follows("cyclic_cosine", ADAM | {"cycles": 2}, nadamw, schedule=schedule)
    assert_follows("cyclic_cosine", ADAM | {"cycles": 8}, nadamw, schedule=lambda t: schedule(t, cycle=5))
    assert_follows("cyclic_cosine", ADAM | {"cycles": 1}, nadamw)


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_nadamp(power):
    assert_follows("nadamp", ADAM | {"power": power}, lambda *arguments: nadamw(*arguments, power=power))


@pytest.mark.parametrize("preconditioner", ["adam", "none"])
def test_generalized_adam(preconditioner):
    def equations(w, gradient, rate, decay, h):
        v = 0
        for t in range(STEPS):
            g = gradient(w, t)
            v = h.beta1 * v + g
            w = w - rate(t) * (g + h.beta1 * v + decay * w)
        return w

    values = ADAM | {"preconditioner": preconditioner}
    assert_follows("generalized_adam", values, nadamw if preconditioner == "adam" else equations)
