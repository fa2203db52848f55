"""What the norms experiment states, against what is known of the four norms and of the polynomials."""

import pytest

from timetrial.harness.explain import norms


@pytest.fixture(scope="module")
def finding():
    return norms.run(norms.Options(sizes=(16, 32), rows=12, columns=8))


def test_the_product_with_the_direction_is_the_dual_norm_in_all_four_norms(finding):
    for norm in ("l2", "sign", "frobenius", "spectral"):
        assert finding.numbers[f"duality_error_{norm}"] < 1e-10


def test_a_direction_that_is_not_steepest_shows_as_an_error():
    import torch

    g = torch.tensor([[3.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    assert norms.duality_error(lambda g: (g / g.norm(), None), "sign", g) > 0.1


def test_the_first_step_of_shampoo_is_the_polar_factor(finding):
    assert finding.numbers["shampoo_error"] < 1e-8
    assert "is U V^T" in finding.paragraph


def test_singular_values_end_where_each_polynomial_is_known_to_take_them(finding):
    n = finding.numbers
    assert 0.6 < n["muon_min"] <= n["muon_max"] < 1.25  # Jordan et al. 2024: about 0.7 to 1.2
    assert n["muon_cubic_max"] == pytest.approx(1.0, abs=1e-3)  # it converges to 1 from below
    assert n["muon_cubic_max"] <= 1.0 + 1e-9
    assert 0.85 < n["muon_polar_express_min"] <= n["muon_polar_express_max"] < 1.15
