"""The model: it finds back what was planted, says what a pattern is worth, and is fooled by nothing that is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage import fellegi_sunter as fs

KEYS = tuple(fs.KEYS)
NONE = dict.fromkeys(KEYS, fs.DIFFER)
ALL = dict.fromkeys(KEYS, fs.AGREE)
PLANTED_M = {
    "name": (0.06, 0.08, 0.86),
    "initial": (0.04, 0.96),
    "date": (0.03, 0.03, 0.03, 0.03, 0.88),
    "sex": (0.01, 0.99),
    "postcode": (0.35, 0.12, 0.53),
}


def drawn(chances: dict[str, tuple[float, ...]], n: int, seed: int) -> np.ndarray:
    """Pattern codes of n pairs whose parts agree with these chances."""
    rng = np.random.default_rng(seed)
    levels = [rng.choice(len(of), size=n, p=np.array(of) / sum(of)) for of in chances.values()]
    state = np.ravel_multi_index(levels, [len(of) for of in chances.values()])
    return fs._implied()[state].astype(np.int64) @ fs.POWERS


def fitted(matches: int, others: int) -> fs.Model:
    codes = np.concatenate((drawn(PLANTED_M, matches, 1), drawn(fs.PRIOR_U, others, 2)))
    patterns, pairs = np.unique(codes, return_counts=True)
    return fs.estimate(patterns, pairs.astype(float), expected=matches / 3)


@pytest.fixture(scope="module")
def model() -> fs.Model:
    """5,000 pairs that match among two million."""
    return fitted(5_000, 2_000_000)


def test_em_finds_back_what_was_planted(model: fs.Model) -> None:
    assert model.share * 2_005_000 == pytest.approx(5_000, rel=0.05)
    for part, planted in PLANTED_M.items():
        assert model.m[part] == pytest.approx(np.array(planted), abs=0.03), part
    for part, chance in fs.PRIOR_U.items():
        assert model.u[part] == pytest.approx(np.array(chance), abs=0.01), part


def test_chances_are_calibrated(model: fs.Model) -> None:
    """Among pairs of a pattern, as many match as the model says."""
    matches, others = drawn(PLANTED_M, 50_000, 3), drawn(fs.PRIOR_U, 20_000_000 // 10, 4)
    patterns = np.unique(matches)
    hit = np.array([(matches == p).sum() / 10 for p in patterns])
    miss = np.array([(others == p).sum() for p in patterns])
    told = model.probability(patterns)
    assert abs(float((told * (hit + miss)).sum()) - hit.sum()) < 0.02 * hit.sum()


def p(model: fs.Model, **bits: int) -> float:
    return float(model.probability(np.array([fs.code({**NONE, **bits})]))[0])


def test_agreement_on_nothing_is_no_link_and_on_everything_is_one(model: fs.Model) -> None:
    assert p(model) < 0.01
    assert p(model, **ALL) > 0.9999


@pytest.mark.parametrize(
    ("error", "agree"),
    [
        ("no postcode or moved", ("fb_a", "fb_b", "fb_g")),
        ("misspelt", ("fb_b", "fb_c", "fb_d", "fb_e", "fb_f", "fb_g")),
        ("day and month exchanged", ("fb_b", "fb_c", "fb_f", "fb_g")),
        ("year of birth off", ("fb_c",)),
        ("another name", ("fb_d",)),
        ("initial wrong", ("fb_e", "fb_g")),
        ("sex wrong", ("fb_c", "fb_e")),
        ("day unknown", ("fb_f",)),
    ],
)
def test_one_error_still_leaves_a_likely_link(model: fs.Model, error: str, agree: tuple[str, ...]) -> None:
    assert p(model, **dict.fromkeys(agree, fs.AGREE)) > 0.9, error


def test_more_agreement_is_never_less_likely(model: fs.Model) -> None:
    assert p(model, fb_g=1) < p(model, fb_g=1, fb_b=1) < p(model, **ALL)


def test_a_missing_key_says_nothing(model: fs.Model) -> None:
    """Missing everywhere: the share of matches among all pairs, and nothing more."""
    assert float(model.probability(np.array([fs.code({})]))[0]) == pytest.approx(model.share)


def test_a_pattern_that_cannot_be_is_no_link(model: fs.Model) -> None:
    """Name, initial, date and sex agree, and their sounds do not."""
    assert p(model, fb_a=1) == 0


@given(st.lists(st.sampled_from((0, 1, 2)), min_size=7, max_size=7))
def test_a_pattern_is_its_code(values: list[int]) -> None:
    number = fs.code(dict(zip(KEYS, values, strict=True)))
    assert fs.bits(np.array([number]))[0].tolist() == values
    assert 0 <= number < 3**7


def test_little_data_stays_near_the_prior() -> None:
    """Three pairs teach next to nothing, and nothing breaks."""
    found = fs.estimate(np.array([fs.code(ALL), fs.code(NONE)]), np.array([1.0, 2.0]), expected=1)
    for part, prior in fs.PRIOR_M.items():
        assert found.m[part] == pytest.approx(np.array(prior), abs=0.05)


def test_nothing_to_learn_from_is_no_error() -> None:
    found = fs.estimate(np.array([], np.int64), np.array([]), expected=1)
    assert found.probability(np.array([fs.code(ALL)]))[0] < 1


def test_each_part_is_missing_from_a_key_and_each_key_holds_three() -> None:
    """One error never breaks every key; no key is so common that its frequency tells who it is."""
    for part in fs.LEVELS:
        assert any(part not in needs for needs in fs.KEYS.values()) or part == "date"
    assert all(len(needs) >= 3 for needs in fs.KEYS.values())
