"""What the double-descent experiment states: the peak is at the interpolation threshold."""

import pandas
import pytest

from timetrial.harness.explain import double_descent


def test_polynomials_peak_where_there_are_as_many_coefficients_as_points():
    finding = double_descent.run(double_descent.Options(points=12, repetitions=60, widths=(0,),
                                                        coefficients=(2, 4, 6, 8, 10, 12, 14, 18, 30, 60)))  # fmt: skip
    n = finding.numbers
    assert 10 <= n["polynomial_peak_size"] <= 14
    assert n["polynomial_peak_error"] > 3 * n["polynomial_after"]
    assert "near the threshold of 12" in finding.paragraph
    fits = finding.table[finding.table["size"] >= 12].training_error
    assert fits.max() < 1e-6  # beyond the threshold every point is met


def test_networks_below_the_threshold_do_not_fit_and_wide_ones_do():
    small = {"data": "synthetic", "examples": 100, "widths": (1, 4, 64), "steps": 300, "coefficients": (2, 4, 6)}
    finding = double_descent.run(double_descent.Options(**small, repetitions=2))
    rows = finding.table[finding.table.model == "network"]
    assert rows.training_error.iloc[0] > 0.2 and rows.training_error.iloc[-1] < 0.05
    assert rows["size"].tolist() == [width * 785 + width * 10 + 10 for width in (1, 4, 64)]


@pytest.mark.parametrize("errors, size", [((1.0, 3.0, 0.5), 2.0), ((3.0, 2.0, 1.0), 0.0), ((1.0, 2.0, 3.0), 0.0)])
def test_only_an_error_between_two_lower_ones_is_a_peak(errors, size):
    curve = pandas.DataFrame({"size": [1, 2, 3], "threshold": 2, "test_error": errors})
    assert double_descent.find_peak(curve)["peak_size"] == size


def test_it_says_when_there_is_no_peak():
    numbers = {"polynomial_threshold": 20.0, "polynomial_peak_size": 0.0}
    assert "did not show" in double_descent.describe(numbers, double_descent.Options())
