"""Batch sizes, where the law is known."""

import io
import math

import numpy
import pytest

from timetrial.harness.explain import batch_size


def test_the_critical_batch_of_the_law_is_found():
    sizes = numpy.array([16.0, 64, 256, 1024])
    assert batch_size.critical_batch(sizes, 300 * (1 + 120 / sizes)) == pytest.approx(120, rel=1e-3)
    assert math.isnan(batch_size.critical_batch(sizes[:2], sizes[:2]))


def test_the_variance_of_gradients_falls_as_one_over_the_batch():
    small = {"batch_sizes": (8, 32, 128), "examples": 1280, "submission": ("adamw",), "factors": (1.0,)}
    found = batch_size.run(batch_size.Options(data="synthetic", target=0.2, gradients=40, **small))
    assert found.numbers["variance_slope"] == pytest.approx(-1, abs=0.12)
    races = found.table[found.table.kind == "race"]
    assert list(races.batch_size) == [8, 32, 128] and races.validation.between(0, 1).all()
    assert "where theory says -1" in found.paragraph and found.figure().axes


def test_where_nobody_reaches_the_target_there_is_a_picture_all_the_same():
    small = {"batch_sizes": (8, 32), "examples": 64, "submission": ("adamw",), "factors": (1.0,), "gradients": 4}
    found = batch_size.run(batch_size.Options(data="synthetic", target=1.1, **small))
    found.figure().savefig(io.BytesIO())
    assert "adamw unknown (0 sizes reach the target)" in found.paragraph
