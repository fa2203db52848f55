"""Matrix methods against the update equations of their papers."""

from functools import partial

import pytest
import torch

from tests.submissions.equations import STEPS, assert_follows, assert_follows_together
from tests.submissions.test_first_order import ADAM
from tests.submissions.toy import any_hyperparameters, build
from timetrial.submissions.decompositions import eigh, polar
from timetrial.submissions.kronecker import inverse_root
from timetrial.submissions.lmo.submission import ORACLES
from timetrial.submissions.muon.submission import NEWTON_SCHULZ
from timetrial.submissions.muon_polar_express.submission import OPTIMAL, POLAR_EXPRESS, SAFETY
from timetrial.submissions.orthogonalized_momentum import OrthogonalizedMomentum, orthogonalize
from timetrial.submissions.shampoo.submission import root

MUON = {
    "learning_rate": 0.05,
    "adam_learning_rate": 0.02,
    "momentum": 0.95,
    "beta1": 0.9,
    "beta2": 0.95,
    "weight_decay": 0.3,
}


def power(matrix, exponent):
    eigenvalues, eigenvectors = torch.linalg.eigh(matrix)
    return eigenvectors @ torch.diag(eigenvalues.clamp(min=0) ** exponent) @ eigenvectors.T


def adam_step(w, g, rate, decay, t, state, h):
    m = state["m"] = h.beta1 * state.get("m", 0) + (1 - h.beta1) * g
    v = state["v"] = h.beta2 * state.get("v", 0) + (1 - h.beta2) * g**2
    return (1 - rate * decay) * w - rate * m / (1 - h.beta1**t) / ((v / (1 - h.beta2**t)).sqrt() + 1e-8)


def newton_schulz(g, coefficients, margin):
    x = g / (g.norm() * margin + 1e-7)
    for a, b, c in coefficients:
        x = a * x + b * x @ x.T @ x + c * x @ x.T @ x @ x.T @ x
    return x


def exact_polar(g):
    """U V^T as g (g^T g)^(-1/2), or the same with the sides exchanged."""
    return g @ power(g.T @ g, -1 / 2) if g.shape[0] >= g.shape[1] else power(g @ g.T, -1 / 2) @ g


@pytest.mark.parametrize(
    ("name", "orthogonal"),
    [
        ("muon", lambda g: newton_schulz(g, ((3.4445, -4.7750, 2.0315),) * 5, 1.0)),
        ("muon_polar_express", lambda g: newton_schulz(g, POLAR_EXPRESS, 1.01)),
        ("muon_cubic", lambda g: newton_schulz(g, ((1.5, -0.5, 0.0),) * 10, 1.0)),
        ("muon_exact", exact_polar),
    ],
)
def test_muon(name, orthogonal):
    def equations(w, gradient, rate, decay, h):
        b, state = 0, {}
        for t in range(STEPS):
            g = gradient(w, t)
            if w.ndim == 1:
                adam_rate = h.adam_learning_rate / h.learning_rate * rate(t)
                w = adam_step(w, g, adam_rate, decay, t + 1, state, h)
                continue
            b = h.momentum * b + (1 - h.momentum) * g
            nesterov = ((1 - h.momentum) * g + h.momentum * b).reshape(w.shape[0], -1)
            rows, columns = nesterov.shape
            u = orthogonal(nesterov) * (max(1, rows / columns) ** 0.5 if w.ndim == 2 else 1)
            w = (1 - rate(t) * decay) * w - rate(t) * u.reshape(w.shape)
        return w

    assert_follows(name, MUON, equations)


def spread_of_singular_values(shape, smallest, seed):
    """Draw a matrix with singular values from `smallest` to 1 times its Frobenius norm, about."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(shape, generator=generator, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = torch.logspace(0, torch.log10(torch.tensor(smallest)).item(), len(s), dtype=torch.float64)
    return u @ torch.diag(s) @ v


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (64, 27)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_newton_schulz_brings_singular_values_near_one(shape, dtype):
    for seed in range(5):
        matrix = spread_of_singular_values(shape, 0.05, seed).to(dtype)
        assert torch.linalg.svdvals(matrix).min() >= 0.01 * matrix.norm()
        values = torch.linalg.svdvals(orthogonalize(matrix, NEWTON_SCHULZ))
        assert values.min() > 0.65 and values.max() < 1.2


def test_polar_express_comes_closer_to_one_in_as_many_steps():
    matrix = spread_of_singular_values((32, 48), 0.05, seed=0)
    for smallest in (0.02, 0.05, 0.3):
        matrix = spread_of_singular_values((32, 48), smallest, seed=1)
        newton, polar = (
            (torch.linalg.svdvals(orthogonalize(matrix, coefficients, margin)) - 1).abs().max()
            for coefficients, margin in ((NEWTON_SCHULZ, 1.0), (POLAR_EXPRESS, SAFETY))
        )
        assert polar < newton
        assert len(POLAR_EXPRESS) == len(NEWTON_SCHULZ)


def test_polar_express_polynomials_are_the_best_of_their_degree():
    """A best odd quintic swings between two values at four points of its interval (Amsel et al. 2025, section 3).

    Where the lower end is below a share of the upper end, that share takes its place, and the polynomial is scaled so
    that the true ends still map to 1 - e and 1 + e.
    """
    low, high = 1e-3, 1.0
    for a, b, c in OPTIMAL:
        x = torch.linspace(max(low, 0.02407327424182761 * high), high, 200_001, dtype=torch.float64)
        y = a * x + b * x**3 + c * x**5
        slope = y.diff()
        turns = y[1:-1][slope[1:] * slope[:-1] <= 0]
        extremes = torch.cat([y[:1], turns, y[-1:]])
        assert len(extremes) == 4
        assert torch.allclose(extremes[::2], extremes[0], atol=1e-8)
        assert torch.allclose(extremes[1::2], extremes[1], atol=1e-8)
        low, high = a * low + b * low**3 + c * low**5, extremes.max().item()
        assert low + high == pytest.approx(2.0, abs=1e-8)
    assert high < 1.13


def test_muon_scales_the_steps_of_tall_matrices_and_of_no_kernel():
    torch.manual_seed(0)
    gradient = torch.randn(16, 8)
    steps = []
    for shape in ((16, 8), (16, 8, 1, 1)):
        weight = torch.nn.Parameter(torch.zeros(shape))
        weight.grad = gradient.reshape(shape).clone()
        OrthogonalizedMomentum(
            [weight], partial(orthogonalize, coefficients=NEWTON_SCHULZ), lr=1.0, momentum=0.9
        ).step()
        steps.append(weight.detach().flatten(1))
    assert torch.allclose(steps[0], steps[1] * 2**0.5, atol=1e-6)
    assert 0.6 < torch.linalg.svdvals(steps[1]).max() < 1.3


def block_shampoo(combine):
    """Write out blocked Shampoo with Adam's grafting; `combine(a, b, direction)` gets the inverse fourth roots."""

    def equations(w, gradient, rate, decay, h):
        shape, state, factors = w.shape, {}, {}
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            adam = adam_step(torch.zeros_like(w), g, -1.0, 0.0, t, state, h)
            direction = state["m"] / (1 - h.beta1**t)
            if w.ndim > 1:
                g, adam, direction = (x.reshape(shape[0], -1) for x in (g, adam, direction))
                for i in range(0, g.shape[0], h.block_size):
                    for j in range(0, g.shape[1], h.block_size):
                        block = (slice(i, i + h.block_size), slice(j, j + h.block_size))
                        f = factors.setdefault((i, j), {"l": 0, "r": 0, "roots": None})
                        f["l"] = h.beta2 * f["l"] + (1 - h.beta2) * g[block] @ g[block].T
                        f["r"] = h.beta2 * f["r"] + (1 - h.beta2) * g[block].T @ g[block]
                        if t % h.update_every == 0:
                            hats = [f[side] / (1 - h.beta2**t) for side in ("l", "r")]
                            f["roots"] = [
                                power(x + 1e-6 * torch.linalg.eigvalsh(x).max() * torch.eye(len(x)).double(), -1 / 4)
                                for x in hats
                            ]
                        if f["roots"]:
                            u = combine(*f["roots"], direction[block])
                            adam[block] = u * adam[block].norm() / u.norm()
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * adam.reshape(shape)
        return w

    return equations


@pytest.mark.parametrize("block_size", [2, 4, 256])
@pytest.mark.parametrize("name", ["distributed_shampoo", "caspr"])
def test_distributed_shampoo_and_caspr(name, block_size):
    combine = {
        "distributed_shampoo": lambda a, b, g: a @ g @ b,
        "caspr": lambda a, b, g: (a @ a @ g + 2 * a @ g @ b + g @ b @ b) / 4,
    }[name]
    values = ADAM | {"block_size": block_size, "update_every": 2}
    assert_follows(name, values, block_shampoo(combine))


@pytest.mark.parametrize("block_size", [2, 256])
def test_caspr_adaptive(block_size):
    def equations(w, gradient, rate, decay, h):
        shape, state, blocks = w.shape, {}, {}
        for t in range(1, STEPS + 1):
            g = gradient(w, t - 1)
            adam_step(w, g, 0.0, 0.0, t, state, h)
            ahead = (h.beta1 * state["m"] + (1 - h.beta1) * g) / (1 - h.beta1**t)
            update = ahead / ((state["v"] / (1 - h.beta2**t)).sqrt() + 1e-8)
            if w.ndim > 1:
                g, ahead, update = (x.reshape(shape[0], -1) for x in (g, ahead, update))
                for i in range(0, g.shape[0], h.block_size):
                    for j in range(0, g.shape[1], h.block_size):
                        block = (slice(i, i + h.block_size), slice(j, j + h.block_size))
                        x = g[block]
                        eyes = [torch.eye(n).double() for n in x.shape]
                        new = {"L": 1e-6 * eyes[0], "R": eyes[1], "A": eyes[0], "last": 1e-6 * eyes[0], "roots": None}
                        f = blocks.setdefault((i, j), new)
                        scale = 1
                        if t > 1 and (t - 1) % h.update_every == 0:  # the first step with a new A
                            ridged = f["last"] + 1e-6 * torch.linalg.eigvalsh(f["last"]).max() * eyes[0]
                            scale = torch.trace(f["A"] @ ridged @ f["A"]) / len(x)
                            f["last"] = f["L"]
                        f["L"] = h.beta2 * f["L"] + (1 - h.beta2) * x @ x.T
                        f["R"] = h.beta2 * scale * f["R"] + (1 - h.beta2) * x.T @ f["A"] @ f["A"] @ x / len(x)
                        if t % h.update_every == 0:
                            f["roots"] = [
                                power(f[side] + 1e-6 * torch.linalg.eigvalsh(f[side]).max() * eye, -1 / 2)
                                for side, eye in zip("LR", eyes, strict=True)
                            ]
                            f["A"] = f["roots"][0]
                        if f["roots"]:
                            u = f["roots"][0] @ ahead[block] @ f["roots"][1]
                            update[block] = u * update[block].norm() / u.norm()
            w = (1 - rate(t - 1) * decay) * w - rate(t - 1) * update.reshape(shape)
        return w

    assert_follows("caspr_adaptive", ADAM | {"block_size": block_size, "update_every": 2}, equations)


@pytest.mark.parametrize("max_size", [3, 512])
def test_shampoo(max_size):
    def equations(w, gradient, rate, decay, h):
        k, m = w.ndim, 0
        factors = [h.epsilon * torch.eye(n).double() for n in w.shape]
        for t in range(STEPS):
            g = gradient(w, t)
            m = h.momentum * m + (1 - h.momentum) * g
            for i in range(k):
                unfolded = torch.movedim(g, i, 0).reshape(w.shape[i], -1)
                product = unfolded @ unfolded.T
                factors[i] = factors[i] + (product if w.shape[i] <= max_size else torch.diag(product.diag()))
            if t % h.update_every == 0:
                roots = [power(factor, -1 / (2 * k)) for factor in factors]
            u = m
            for i in range(k):
                u = torch.movedim(torch.tensordot(roots[i], u, dims=([1], [i])), 0, i)
            w = (1 - rate(t) * decay) * w - rate(t) * u
        return w

    values = {
        "learning_rate": 0.1,
        "momentum": 0.9,
        "epsilon": 1e-4,
        "max_size": max_size,
        "update_every": 2,
        "weight_decay": 0.3,
    }
    assert_follows("shampoo", values, equations)


@pytest.mark.parametrize("max_size", [2, 4, 5])
def test_soap(max_size):
    """Sides of up to 5, which a few gradients fill: where they leave directions empty, any basis of those is right."""

    def equations(w, gradient, rate, decay, h):
        shape, state, left, right = w.shape, {}, 0, 0
        m, v, ql, qr = 0, 0, None, None
        for t in range(STEPS):  # the first step, number 0, only begins left and right
            g = gradient(w, t)
            w = (1 - rate(t) * decay) * w
            if w.ndim == 1:
                w = adam_step(w, g, rate(t), 0.0, t, state, h) if t > 0 else w
                continue
            g, w = g.reshape(shape[0], -1), w.reshape(shape[0], -1)
            if t > 0:
                m = h.beta1 * m + (1 - h.beta1) * g
                rotated = ql.T @ g @ qr
                v = h.beta2 * v + (1 - h.beta2) * rotated**2
                n = (ql.T @ m @ qr) / ((v / (1 - h.beta2**t)).sqrt() + 1e-8)
                w = w - rate(t) / (1 - h.beta1**t) * ql @ n @ qr.T
            left = h.beta2 * left + (g @ g.T) * (1 - h.beta2)
            right = h.beta2 * right + (g.T @ g) * (1 - h.beta2)
            if t == 0:
                ql, qr = (torch.linalg.eigh(x)[1].flip(1) for x in (left, right))
            elif t % h.update_every == 0:
                for side, (x, q) in enumerate(((left, ql), (right, qr))):
                    if len(q) <= max_size:  # sorted by what the eigenvalues now seem to be, and v with it
                        order = torch.argsort((q.T @ x @ q).diag(), descending=True)
                        v = v[order] if side == 0 else v[:, order]
                        q = torch.linalg.qr(x @ q[:, order])[0]
                    ql, qr = (q, qr) if side == 0 else (ql, q)
            ql, qr = (q if len(q) <= max_size else torch.eye(len(q)).double() for q in (ql, qr))
            w = w.reshape(shape)
        return w

    assert_follows("soap", ADAM | {"max_size": max_size, "update_every": 2}, equations)


def test_a_root_of_shampoo_is_bounded_by_its_epsilon_in_float32():
    """Rounding of a factor with a large eigenvalue must not leave one far below epsilon, where the factor began."""
    torch.manual_seed(0)
    vector = torch.randn(512)
    factor = 1e3 * torch.outer(vector, vector) / vector.square().sum() + 1e-4 * torch.eye(512)
    exact = power(factor.double(), -1 / 4)
    assert exact.norm() < 10 * 512**0.5
    assert root(factor, -1 / 4, 1e-4).norm() <= 1.01 * exact.norm()
    assert inverse_root(factor, 4, 1e-6).norm() <= 1.01 * exact.norm()


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_eigenvalues_of_what_is_not_finite_are_not_a_number(wrong):
    spoilt = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    spoilt = spoilt @ spoilt.T
    spoilt[2, 3] = spoilt[3, 2] = wrong
    values, vectors = eigh(spoilt)  # LAPACK raises on NaN
    assert values.shape == (5,) and vectors.shape == (5, 5)
    assert not values.isfinite().any()
    for result in (root(spoilt, -1 / 4, 1e-4), inverse_root(spoilt, 4, 1e-6)):
        assert not result.isfinite().any()


def test_eigenvalues_of_finite_matrices_are_lapacks():
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    matrix = matrix @ matrix.T
    values, vectors = eigh(matrix)
    assert torch.equal(values, torch.linalg.eigh(matrix)[0])
    assert torch.allclose(vectors @ values.diag() @ vectors.T, matrix, atol=1e-5)


def dual_norm(g, norm):
    """Write out the dual norms: the sum of absolute values, l2, the sum of singular values."""
    matrix = g.reshape(g.shape[0], -1)
    if norm == "spectral":
        return torch.linalg.svdvals(matrix).sum()
    return {"sign": g.abs().sum(), "frobenius": g.square().sum().sqrt()}[norm]


def oracle(g, norm):
    matrix = g.reshape(g.shape[0], -1)
    if norm == "spectral":
        return exact_polar(matrix).reshape(g.shape)
    return {"sign": g / g.abs(), "frobenius": g / g.square().sum().sqrt()}[norm]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("norm", ["l2", "sign", "frobenius", "spectral"])
def test_lmo(norm, momentum, scaled):
    def equations(weights, gradients, rate, decays, h):
        m = dict.fromkeys(weights, 0)
        for t in range(STEPS):
            g = gradients(weights, t)
            m = {key: h.momentum * m[key] + (1 - h.momentum) * g[key] for key in m}
            length = sum(x.square().sum() for x in m.values()).sqrt()
            for key, w in weights.items():
                u = m[key] / length if norm == "l2" else oracle(m[key], norm)
                dual = length if norm == "l2" else dual_norm(m[key], norm)
                weights = weights | {key: (1 - rate(t) * decays[key]) * w - rate(t) * u * (dual if scaled else 1)}
        return weights

    values = {"learning_rate": 0.02, "norm": norm, "momentum": momentum, "scaled": scaled, "weight_decay": 0.3}
    assert_follows_together("lmo", values, equations)


@pytest.mark.parametrize("name", ["sign", "frobenius", "spectral"])
def test_an_oracle_meets_its_dual_norm_within_the_unit_ball(name):
    g = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d, dual = ORACLES[name](g)
    sizes = {"sign": d.abs().max(), "frobenius": d.norm(), "spectral": torch.linalg.svdvals(d)[0]}
    assert sizes[name].item() == pytest.approx(1.0)
    assert (g * d).sum().item() == pytest.approx(dual.item())


def test_lmo_says_which_norms_there_are():
    with pytest.raises(ValueError, match="l2, sign, frobenius, spectral"):
        build("lmo", any_hyperparameters("lmo") | {"norm": "l3"})


def test_a_polar_factor_leaves_out_directions_without_a_gradient():
    torch.manual_seed(0)
    low_rank = torch.randn(6, 2) @ torch.randn(2, 5)
    factor, nuclear = polar(low_rank)
    values = torch.linalg.svdvals(factor)
    assert torch.allclose(values[:2], torch.ones(2), atol=1e-5) and values[2:].max() < 1e-5
    assert nuclear.item() == pytest.approx(torch.linalg.svdvals(low_rank).sum().item(), rel=1e-5)
    assert polar(torch.zeros(3, 4))[0].abs().max() == 0
    assert polar(torch.full((3, 4), torch.nan))[0].isnan().all()
