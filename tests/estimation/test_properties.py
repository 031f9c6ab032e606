"""Raking, posteriors, labels and words: what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimation import ends, projection, quality, smallarea
from estimation.arrays import streams
from estimation.raking import Margin, rake, sums

AMOUNTS = st.lists(st.floats(0.1, 50.0), min_size=12, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    AMOUNTS, st.lists(st.floats(1.0, 90.0), min_size=4, max_size=4), st.lists(st.floats(0.2, 5), min_size=3, max_size=3)
)
def test_raking_reproduces_totals_exactly(cells: list[float], rows: list[float], weights: list[float]) -> None:
    """4 districts x 3 half-years, both margins, consistent with each other: reproduced to nine digits."""
    columns = np.array(weights) / sum(weights) * sum(rows)
    district, half = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    raked = rake(np.array([cells]), [Margin(district, np.array([rows])), Margin(half, columns[None])])
    assert sums(raked, district, 4)[0] == pytest.approx(rows, rel=1e-8)
    assert sums(raked, half, 3)[0] == pytest.approx(columns, rel=1e-8)
    table = raked.reshape(4, 3) / np.array(cells).reshape(4, 3)
    odds = table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])
    assert odds == pytest.approx(1.0, rel=1e-6), "interactions stay those of the model: only margins change"


def test_raking_a_textbook_table() -> None:
    """Deming & Stephan's idea on a 2 x 2 table: margins 30/70 and 60/40 from all ones give the product of margins."""
    raked = rake(
        np.ones((1, 4)),
        [
            Margin(np.array([0, 0, 1, 1]), np.array([[30.0, 70]])),
            Margin(np.array([0, 1, 0, 1]), np.array([[60.0, 40]])),
        ],
    )
    assert raked[0] == pytest.approx([18, 12, 42, 28])


def test_totals_that_do_not_bind_and_cells_of_no_group_are_left_alone() -> None:
    margin = Margin(np.array([0, 0, 1, -1]), np.array([[10.0, 99.0]]), np.array([[True, False]]))
    assert rake(np.array([[1.0, 3.0, 5.0, 7.0]]), [margin])[0] == pytest.approx([2.5, 7.5, 5.0, 7.0])
    assert rake(np.zeros((1, 4)), [margin])[0] == pytest.approx(np.zeros(4)), "nothing cannot be scaled"


@settings(max_examples=40, deadline=None)
@given(st.floats(0.2, 50), st.floats(0.01, 20), st.integers(0, 60), st.floats(0.1, 30))
def test_a_posterior_lies_between_prior_and_data(shape: float, mean: float, y: int, exposure: float) -> None:
    a, b = smallarea.posterior(np.array([float(y)]), np.array([exposure]), np.array([mean]), shape)
    low, high = sorted((mean, y / exposure))
    assert low - 1e-9 <= float((a / b)[0]) <= high + 1e-9


def test_no_data_is_the_prior_only() -> None:
    a, b = smallarea.posterior(np.zeros(1), np.zeros(1), np.array([3.0]), 2.5)
    assert (float(a[0]), float(b[0])) == (2.5, 2.5 / 3.0)
    assert smallarea.shrinkage(np.zeros(1), np.array([3.0]), 2.5)[0] == 0.0


def test_an_area_without_exposure_does_not_touch_the_fit() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(60), rng.normal(size=60)])
    exposure = rng.uniform(1, 5, 60)
    y = rng.poisson(exposure * rng.gamma(4, 1, 60) / 4 * np.exp(1 + 0.5 * x[:, 1])).astype(float)
    empty = exposure.copy()
    empty[:10] = 0
    assert smallarea.fit(y, empty, x).coefficients == pytest.approx(
        smallarea.fit(y[10:], exposure[10:], x[10:]).coefficients
    )


@pytest.mark.parametrize("k", [4, 25])
def test_a_country_k_times_as_large_has_posteriors_sqrt_k_narrower(k: int) -> None:
    """Relative width of an area's rate falls with the square root of its data once the data outweigh the prior."""
    y, exposure = np.array([400.0]), np.array([100.0])
    narrow = [
        np.sqrt(a) / a for a, _ in (smallarea.posterior(y * n, exposure * n, np.array([3.0]), 2.0) for n in (1, k))
    ]
    assert float(narrow[0][0] / narrow[1][0]) == pytest.approx(np.sqrt(k), rel=0.01)


def test_gradient_and_information_are_the_derivatives_of_the_likelihood() -> None:
    rng = np.random.default_rng(3)
    x, fixed = smallarea.design(np.column_stack([np.ones(40), rng.normal(size=40)]), rng.integers(0, 5, 40))
    model = smallarea.Model(rng.poisson(6, 40).astype(float), rng.uniform(0.5, 2, 40), x, fixed, True)
    point = rng.normal(0.3, 0.2, x.shape[1] + 1)
    for i in range(len(point)):
        step = np.zeros(len(point))
        step[i] = 1e-5
        slope = (model.value(point + step, 0.4) - model.value(point - step, 0.4)) / 2e-5
        assert model.gradient(point, 0.4)[i] == pytest.approx(slope, abs=1e-4)
        curve = (model.gradient(point + step, 0.4) - model.gradient(point - step, 0.4)) / 2e-5
        assert model.information(point, 0.4)[i] == pytest.approx(curve, abs=1e-4)


def test_planted_regions_slopes_and_shape_come_back() -> None:
    rng = np.random.default_rng(11)
    region = np.repeat(np.arange(20), 30)
    covariate = rng.normal(size=600)
    x, fixed = smallarea.design(np.column_stack([np.ones(600), covariate]), region)
    rates = np.exp(1.0 + 0.7 * covariate + rng.normal(0, 0.4, 20)[region]) * rng.gamma(8, 1 / 8, 600)
    found = smallarea.fit(rng.poisson(5 * rates).astype(float), np.full(600, 5.0), x, fixed)
    assert found.coefficients[1] == pytest.approx(0.7, abs=0.08)
    assert found.tau == pytest.approx(0.4, abs=0.15)
    assert found.shape == pytest.approx(8, rel=0.3)


def test_persons_known_by_district_are_split_anew_in_every_draw_and_add_up() -> None:
    """A sum, no allocation: every draw adds up to it, municipalities differ between draws in proportion to means."""
    means = np.tile([1.0, 3.0, 6.0, 10.0], (4000, 1))
    made = ends.split(streams(1), means, np.array([0, 0, 1, 1]), np.array([0] * 40 + [1] * 16 + [-1] * 20))
    assert (made[:, :2].sum(axis=1) >= 40).all()
    assert (made.sum(axis=1) == 76).all()
    assert made.mean(axis=0) == pytest.approx([11, 33, 12, 20], rel=0.03)
    assert made[:, 0].std() > 2


def test_a_walk_goes_on_from_the_recent_level_and_widens() -> None:
    levels = np.exp(np.random.default_rng(1).normal(0, 0.05, (4000, 10)))
    levels[:, :6] *= 3
    made = projection.walk(streams(2), levels, 4)
    assert np.median(made[:, 0]) == pytest.approx(1.0, rel=0.1)
    assert (np.diff(np.log(made).std(axis=0)) > 0).all()


@pytest.mark.parametrize(
    ("cv", "counted", "weight", "level", "label"),
    [
        (0.10, 50, 0.7, "gemeente", "GOED"),
        (0.15, 50, 0.7, "gemeente", "GOED"),
        (0.16, None, 0.0, "gemeente", "VOORZICHTIG"),
        (0.31, 12, 0.2, "gemeente", "REGIO"),
        (0.31, 12, 0.2, "veiligheidsregio", "GEWEIGERD"),
        (0.05, 9, 0.5, "gemeente", "GEWEIGERD"),
        (0.05, 0, 0.9, "gemeente", "GEWEIGERD"),
        (0.05, 9, 0.49, "gemeente", "GOED"),
        (0.05, 10, 0.99, "gemeente", "GOED"),
        (float("inf"), 0, 0.0, "gemeente", "GEWEIGERD"),
    ],
)
def test_labels_and_the_guard_for_barely_shrunk_small_counts(
    cv: float, counted: int | None, weight: float, level: str, label: str
) -> None:
    assert quality.quality(cv, counted, weight, level)[0] == label


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 5000), st.floats(0, 500), st.floats(0, 500))
def test_intervals_are_rounded_outward_to_five(middle: float, below: float, above: float) -> None:
    low, shown, high = quality.outward(max(middle - below, 0), middle, middle + above)
    assert low % 5 == high % 5 == shown % 5 == 0
    assert low <= max(middle - below, 0) + 1e-6
    assert high >= middle + above - 1e-6
    assert low <= shown <= high


def test_the_words_a_municipality_reads() -> None:
    low, middle, high = quality.outward(30.4, 41.2, 54.9)
    told = quality.sentence(low, middle, high, "GETELD_EN_GESCHAT", "GOED")
    assert told.startswith("naar schatting 40, waarschijnlijk tussen 30 en 55 (geteld, aangevuld")
    assert "voorzichtig" in quality.sentence(0, 5, 10, "GESCHAT", "VOORZICHTIG")
    assert "alleen geschat" in quality.sentence(0, 5, 10, "GESCHAT", "GOED")
    assert (
        quality.instead("Fryslân", "naar schatting 40")
        == "Te onzeker voor deze gemeente. In Fryslân: naar schatting 40"
    )
    assert "ook voor Fryslân" in quality.instead("Fryslân", None)
    assert quality.number(12345) == "12.345"
