"""Estimands on draws with known answers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from alkbayes.estimates.rates import (
    cohort_table,
    contrast_draws,
    contrast_table,
    heterogeneity_table,
    pooled_draws,
    pooled_table,
    profile_weights,
    summarise,
)
from alkbayes.evidence.table import read_evidence
from alkbayes.model.design import build_design
from alkbayes.model.draws import from_prior
from alkbayes.model.parametrisation import empirical_predictors
from alkbayes.model.profiles import groups_of
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.vocabulary import Standard

LINE = {"column": "line", "kind": "fixed", "reference": "naive", "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0}}
SD = {"sd_prior": {"dist": "half_normal", "sd": 0.5}}
GENERATION = {"column": "regimen_class", "kind": "exchangeable"} | SD
INTERACTION = {"column": ["line", "regimen_class"], "kind": "exchangeable"} | SD
TRIAL = {"column": "trial", "distribution": "normal"} | SD
COHORT = {"column": "cohort_id", "distribution": "normal"} | SD

TABLE = """
a A naive first 10 6
b A pretreated first 30 10
c B pretreated second 60 20
"""


def prior_posterior(case: Any, posterior_from: Any, *, draws: int = 300, seed: int = 1) -> Any:
    """What estimates would read if the posterior were the prior."""
    return posterior_from(case.design, from_prior(case.design, rng=np.random.default_rng(seed), draws=draws))


def row(table: pd.DataFrame, **where: str) -> pd.Series:
    found = table
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found) == 1, where
    return found.iloc[0]


@pytest.fixture
def by_hand(spec_of: Any, table_of: Any, posterior_from: Any) -> Any:
    """Line and generation, two levels of heterogeneity, every parameter a single known number."""
    design = build_design(spec_of(effect=[LINE, GENERATION], heterogeneity=[TRIAL, COHORT]), table_of(TABLE))
    free = {
        "alpha": [[0.5, 0.5]],
        "beta_line": [[[-1.0], [-1.0]]],
        "sd_generation": [[0.6, 0.6]],
        "raw_generation": [[[1.0], [1.0]]],
        "tau_trial": [[0.3, 0.3]],
        "tau_cohort": [[0.4, 0.4]],
        "z_trial": [[[1.0, -2.0]] * 2],
        "z_cohort": [[[0.5, -0.5, 2.0]] * 2],
    }
    return posterior_from(design, free)


FIRST, SECOND = 0.6 / np.sqrt(2), -0.6 / np.sqrt(2)
MU = np.array([0.5 + FIRST, -0.5 + FIRST, -0.5 + SECOND])  # of the three cohorts, each its own profile
THETA = MU + 0.3 * np.array([1.0, 1.0, -2.0]) + 0.4 * np.array([0.5, -0.5, 2.0])
SHARE = np.array([0.1, 0.3, 0.6])


def gauss(mu: float, sd: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return float(expit(mu + sd * nodes) @ weights / weights.sum())


def test_registry_typical_and_mean_by_hand(by_hand: Any) -> None:
    table = pooled_table(by_hand)
    mean = np.array([gauss(mu, 0.5) for mu in MU])
    expected = {
        ("all", "all"): (expit(THETA) @ SHARE, expit(MU @ SHARE), mean @ SHARE),
        ("line", "pretreated"): (
            expit(THETA[1:]) @ [1 / 3, 2 / 3],
            expit(MU[1:] @ [1 / 3, 2 / 3]),
            mean[1:] @ [1 / 3, 2 / 3],
        ),
        ("generation", "first"): (
            expit(THETA[:2]) @ [1 / 4, 3 / 4],
            expit(MU[:2] @ [1 / 4, 3 / 4]),
            mean[:2] @ [1 / 4, 3 / 4],
        ),
        ("line:generation", "pretreated:second"): (expit(THETA[2]), expit(MU[2]), mean[2]),
    }
    for (group, level), values in expected.items():
        for estimand, value in zip(("these_cohorts", "typical", "mean"), values, strict=True):
            found = row(table, group=group, level=level, estimand=estimand)
            for column in ("mean", "median", "low", "high"):
                assert found[column] == pytest.approx(value, abs=1e-8), (group, level, estimand)
            assert found["sd"] == pytest.approx(0.0, abs=1e-12)


def test_groups_and_their_order(by_hand: Any) -> None:
    assert [(group.group, group.level) for group in groups_of(by_hand.design)] == [
        ("all", "all"),
        ("line", "naive"),
        ("line", "pretreated"),
        ("generation", "first"),
        ("generation", "second"),
        ("line:generation", "naive:first"),
        ("line:generation", "pretreated:first"),
        ("line:generation", "pretreated:second"),
    ]
    table = pooled_table(by_hand)
    assert list(dict.fromkeys(table["estimand"])) == ["these_cohorts", "typical", "mean", "next_cohort"]
    counts = row(table, group="line", level="pretreated", estimand="mean")
    assert (counts["k"], counts["patients"], counts["responders"]) == (2, 90, 30)
    assert counts["line"] == "pretreated"
    assert pd.isna(counts["generation"])
    assert counts["weights"] == "second 66.7 %; first 33.3 %"
    assert row(table, group="generation", level="second", estimand="mean")["weights"] == ""


@pytest.mark.parametrize(
    ("effects", "table"),
    [
        ([LINE, GENERATION, INTERACTION], "a A naive first 9 3\nb B naive second 9 3"),
        ([LINE, GENERATION, INTERACTION], "a A pretreated first 9 3\nb B mixed first 9 3"),
        ([LINE, GENERATION, INTERACTION], "a A pretreated first 9 3"),
        ([LINE, GENERATION], "a A pretreated first 9 3\nb B pretreated second 9 3"),
    ],
)
def test_tables_of_one_level_are_pooled_all_the_same(
    effects: Any, table: str, spec_of: Any, table_of: Any, posterior_from: Any
) -> None:
    design = build_design(spec_of(effect=effects, heterogeneity=[TRIAL, COHORT]), table_of(table))
    posterior = posterior_from(design, from_prior(design, rng=np.random.default_rng(1), draws=50))
    pooled = pooled_table(posterior)
    assert np.isfinite(pooled[["mean", "median", "sd", "low", "high"]].to_numpy()).all()
    for function in (contrast_table, heterogeneity_table, cohort_table):
        function(posterior)


def test_estimates_of_every_model_are_proportions_in_order(case: Any, posterior_from: Any) -> None:
    posterior = prior_posterior(case, posterior_from, draws=60)
    table = pooled_table(posterior)
    numbers = table[["mean", "median", "low", "high"]].to_numpy()
    assert ((numbers >= 0) & (numbers <= 1)).all()
    assert (table["low"] <= table["median"]).all()
    assert (table["median"] <= table["high"]).all()
    assert len(table) == 4 * len(list(groups_of(case.design)))
    contrasts = contrast_table(posterior)
    difference = contrasts[contrasts["scale"] == "risk_difference"]
    assert difference[["mean", "median", "low", "high"]].abs().max().max() <= 1 if len(difference) else True
    assert (contrasts.loc[contrasts["scale"] == "odds_ratio", "low"] > 0).all()
    assert contrasts["prob_better"].between(0, 1).all()
    heterogeneity = heterogeneity_table(posterior).set_index("parameter")
    shares = heterogeneity.loc[heterogeneity.index.intersection(["explained", "i2", "rho"])]
    assert ((shares >= 0) & (shares <= 1)).all().all()
    cohorts = cohort_table(posterior)
    assert list(cohorts["cohort_id"]) == list(case.design.cohorts)
    assert np.isfinite(cohorts.select_dtypes("number").to_numpy()).all()


@pytest.mark.parametrize(
    "name", ["line-generation", "robust", "sequence", "cohort-only", "beta-binomial", "beta-binomial-alone"]
)
def test_registry_is_the_crude_rate_when_cohorts_are_large(name: str, case_of: Any, posterior_from: Any) -> None:
    # With ten million patients a cohort's rate is known; the prior's draws are moved there.
    case = case_of(name)
    rates = (case.design.responders + 0.5) / (case.design.n + 1)
    design = replace(case.design, n=np.full_like(rates, 1e7), responders=np.round(rates * 1e7))
    free = from_prior(design, rng=np.random.default_rng(1), draws=100)
    if design.cohort is not None:
        without = free["theta"] - free["tau_cohort"][..., None] * free["z_cohort"]
        free["z_cohort"] = (logit(design.responders / design.n) - without) / free["tau_cohort"][..., None]
    posterior = posterior_from(design, free)
    for group in groups_of(design):
        crude = design.responders[group.members].sum() / design.n[group.members].sum()
        found = row(pooled_table(posterior), group=group.group, level=group.level, estimand="these_cohorts")
        assert found["low"] == pytest.approx(crude, abs=1e-3)
        assert found["high"] == pytest.approx(crude, abs=1e-3)
        if group.group == "line":
            break


def test_weights_are_the_patients_shares(case: Any, posterior_from: Any) -> None:
    posterior = prior_posterior(case, posterior_from, draws=5)
    n = case.design.n
    for group in groups_of(case.design):
        weights = profile_weights(posterior, group.members)
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        for profile, weight in enumerate(weights):
            here = group.members & (posterior.profile_of_cohort == profile)
            assert weight == pytest.approx(n[here].sum() / n[group.members].sum(), abs=1e-12)


def test_mean_and_next_cohort_agree_on_the_mean(case_of: Any, posterior_from: Any) -> None:
    for name in ("line-generation", "robust", "beta-binomial"):
        table = pooled_table(prior_posterior(case_of(name), posterior_from, draws=2000))
        wide = table.pivot_table(index=["group", "level"], columns="estimand", values="mean")
        # 2000 x 16 stratified cohorts; given the draws the spread of a rate is below 0.3.
        np.testing.assert_allclose(wide["mean"], wide["next_cohort"], atol=4 * 0.3 / np.sqrt(32_000))


def test_next_cohort_is_wider_than_mean_and_has_the_models_quantiles(by_hand: Any) -> None:
    # All draws the same: the only spread left is that of trials and cohorts. Two draws are too few, so repeat them.
    many = replace(
        by_hand,
        predictors=np.repeat(by_hand.predictors[:1], 4000, axis=0),
        rates=np.repeat(by_hand.rates[:1], 4000, axis=0),
        heterogeneity=replace(
            by_hand.heterogeneity, taus=tuple(np.repeat(t[:1], 4000) for t in by_hand.heterogeneity.taus)
        ),
    )
    found = row(pooled_table(many), group="line:generation", level="naive:first", estimand="next_cohort")
    expected = expit(MU[0] + 0.5 * stats.norm.ppf([0.025, 0.5, 0.975]))
    np.testing.assert_allclose([found["low"], found["median"], found["high"]], expected, atol=0.004)


def test_a_groups_predictions_do_not_depend_on_the_others(case_of: Any, posterior_from: Any) -> None:
    case = case_of("line-generation")
    posterior = prior_posterior(case, posterior_from)
    once, again = pooled_table(posterior), pooled_table(posterior)
    pd.testing.assert_frame_equal(once, again)


def test_contrasts_by_hand(by_hand: Any) -> None:
    table = contrast_table(by_hand)
    assert list(table["contrast"].unique()) == ["pretreated vs naive", "second vs first"]
    # Additive: the odds ratio is exp(beta) whatever the profiles.
    found = row(table, column="line", scale="odds_ratio")
    assert found["mean"] == pytest.approx(np.exp(-1.0), rel=1e-12)
    assert found["prob_better"] == 0.0
    assert row(table, column="generation", scale="odds_ratio")["mean"] == pytest.approx(
        np.exp(SECOND - FIRST), rel=1e-12
    )
    # The profiles of all three cohorts, 40 % first and 60 % second, all pretreated against all naive.
    first = gauss(-0.5 + FIRST, 0.5) - gauss(0.5 + FIRST, 0.5)
    second = gauss(-0.5 + SECOND, 0.5) - gauss(0.5 + SECOND, 0.5)
    found = row(table, column="line", scale="risk_difference")
    assert found["mean"] == pytest.approx(0.4 * first + 0.6 * second, abs=1e-8)
    # 10 % naive, 90 % pretreated, all second against all first.
    naive = gauss(0.5 + SECOND, 0.5) - gauss(0.5 + FIRST, 0.5)
    pretreated = gauss(-0.5 + SECOND, 0.5) - gauss(-0.5 + FIRST, 0.5)
    found = row(table, column="generation", scale="risk_difference")
    assert found["mean"] == pytest.approx(0.1 * naive + 0.9 * pretreated, abs=1e-8)


def test_contrasts_between_other_levels_leave_out_the_third(spec_of: Any, table_of: Any, posterior_from: Any) -> None:
    table = table_of("a A naive first 10 6\nb A pretreated first 30 10\nc B mixed second 60 20")
    design = build_design(spec_of(effect=[LINE, GENERATION]), table)
    free = {
        "alpha": [[0.2]],
        "beta_line": [[[-1.0, 0.7]]],
        "sd_generation": [[0.6]],
        "raw_generation": [[[1.0]]],
    }
    found = contrast_table(posterior_from(design, free))
    assert row(found, contrast="mixed vs pretreated", scale="odds_ratio")["mean"] == pytest.approx(np.exp(1.7))
    # Of the 90 patients pretreated or mixed, a third is first generation.
    first = expit(0.2 + 0.7 + FIRST) - expit(0.2 - 1.0 + FIRST)
    second = expit(0.2 + 0.7 + SECOND) - expit(0.2 - 1.0 + SECOND)
    difference = row(found, contrast="mixed vs pretreated", scale="risk_difference")["mean"]
    assert difference == pytest.approx((first + 2 * second) / 3, abs=1e-12)


@pytest.mark.parametrize("name", ["line-by-generation", "sequence", "robust"])
def test_contrasts_are_antisymmetric(name: str, case_of: Any, posterior_from: Any) -> None:
    case = case_of(name)
    # With 41 draws the 2.5 % and 97.5 % points are draws, and 1 / x maps them without interpolation.
    posterior = prior_posterior(case, posterior_from, draws=41)
    block = next(block for block in case.design.effects if block.label == "generation")
    # The same effect with its levels shown the other way round.
    size = len(block.levels)
    turned = replace(block, levels=block.levels[::-1], index=size - 1 - block.index, basis=block.basis[::-1])
    effects = tuple(turned if other is block else other for other in case.design.effects)
    free = {key: np.asarray(value)[None] for key, value in posterior.draws.items() if not key.startswith("effect_")}
    design = replace(case.design, effects=effects)
    one = contrast_table(posterior)
    two = contrast_table(posterior_from(design, {k: v for k, v in free.items() if k not in {"theta", "p"}}))
    one, two = one[one["column"] == "generation"], two[two["column"] == "generation"]
    for _, there in one.iterrows():
        level, reference = there["first"], there["second"]
        back = row(two, contrast=f"{reference} vs {level}", scale=there["scale"])
        mirrored = (lambda x: 1 / x) if there["scale"] == "odds_ratio" else (lambda x: -x)
        assert mirrored(back["low"]) == pytest.approx(there["high"], rel=1e-9, abs=1e-9)
        assert mirrored(back["high"]) == pytest.approx(there["low"], rel=1e-9, abs=1e-9)
        assert back["prob_better"] == pytest.approx(1 - there["prob_better"])


def test_heterogeneity_by_hand(by_hand: Any) -> None:
    table = heterogeneity_table(by_hand).set_index("parameter")
    assert list(table.index) == ["tau_trial", "tau_cohort", "tau_total", "sd_generation", "explained", "i2"]
    between = MU.var()
    _, variance = empirical_predictors(by_hand.design)
    weight = 1 / variance
    typical = 2 * weight.sum() / (weight.sum() ** 2 - (weight**2).sum())
    expected = {
        "tau_trial": 0.3,
        "tau_cohort": 0.4,
        "tau_total": 0.5,
        "sd_generation": 0.6,
        "explained": between / (between + 0.25),
        "i2": 0.25 / (0.25 + typical),
    }
    for parameter, value in expected.items():
        np.testing.assert_allclose(table.loc[parameter].to_numpy(dtype=float), value, rtol=1e-12, err_msg=parameter)


def test_cohorts_by_hand(by_hand: Any) -> None:
    table = cohort_table(by_hand)
    _, variance = empirical_predictors(by_hand.design)
    assert list(table["cohort_id"]) == ["a", "b", "c"]
    assert list(table["trial"]) == ["A", "A", "B"]
    assert list(table["line"]) == ["naive", "pretreated", "pretreated"]
    np.testing.assert_allclose(table["observed"], [0.6, 1 / 3, 1 / 3])
    np.testing.assert_allclose(table["expected"], expit(MU), rtol=1e-12)
    np.testing.assert_allclose(table["mean"], expit(THETA), rtol=1e-12)
    np.testing.assert_allclose(table["shrinkage"], variance / (variance + 0.25), rtol=1e-12)
    assert (table["shrinkage"].diff().dropna() < 0).all()  # the larger the cohort, the less it is drawn in


def test_a_beta_binomial_table_is_about_the_cohorts_own_rates(spec_of: Any, table_of: Any, posterior_from: Any) -> None:
    likelihood = {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.0, "b": 4.0}}
    design = build_design(spec_of(likelihood=likelihood), table_of("a A naive first 40 36\nb B naive first 10 0"))
    posterior = posterior_from(design, {"alpha": np.zeros((1, 4000)), "rho": np.full((1, 4000), 0.2)})
    table = cohort_table(posterior)
    # Beta(2, 2) updated with 36 of 40, and with 0 of 10.
    np.testing.assert_allclose(table["mean"], [38 / 44, 2 / 14], atol=0.006)
    np.testing.assert_allclose(table["low"], stats.beta([38, 2], [6, 12]).ppf(0.025), atol=0.012)
    registry = row(pooled_table(posterior), group="all", estimand="these_cohorts")
    assert registry["mean"] == pytest.approx((40 * 38 / 44 + 10 * 2 / 14) / 50, abs=0.006)
    assert row(pooled_table(posterior), group="all", estimand="mean")["mean"] == pytest.approx(0.5, abs=1e-9)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
@settings(deadline=None)
def test_summaries_are_numpys(values: list[float]) -> None:
    found = summarise(np.array(values))
    assert found["mean"] == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert found["low"] == pytest.approx(np.percentile(values, 2.5), rel=1e-9, abs=1e-9)
    assert found["high"] == pytest.approx(np.percentile(values, 97.5), rel=1e-9, abs=1e-9)
    assert found["median"] == pytest.approx(np.median(values), rel=1e-9, abs=1e-9)


def test_a_skewed_interval_is_equal_tailed() -> None:
    draws = stats.expon.ppf((np.arange(10_000) + 0.5) / 10_000)
    found = summarise(draws)
    assert found["low"] == pytest.approx(-np.log(0.975), abs=1e-3)
    assert found["high"] == pytest.approx(-np.log(0.025), abs=0.02)


@pytest.fixture(scope="module")
def histories(posterior_from: Any) -> Any:
    """The model `sequence` on the bundled table, with draws of its priors for a posterior; and its table."""
    spec = read_spec(model_path("sequence"))
    evidence = read_evidence(needed=spec.columns)
    design = build_design(spec, evidence)
    draws = from_prior(design, rng=np.random.default_rng(4), draws=40)
    return posterior_from(design, draws, standard=Standard.SAME), evidence.frame


def given(posterior: Any, column: str, level: str, row: pd.Series) -> np.ndarray:
    """Linear predictor of a cohort's patients had they `level`, by level names and named effects alone."""
    draws, levels = posterior.draws, dict(row[["line", "prior_alk_tki", "regimen_class"]]) | {column: level}
    theta = draws["alpha"].copy()
    blocks = {block.label: block for block in posterior.design.effects}
    if levels["line"] != "naive":
        theta += draws["beta_line"][:, blocks["line"].free_coords.index(levels["line"])]
    for label, name in (
        ("prior_tki", levels["prior_alk_tki"]),
        ("generation", levels["regimen_class"]),
        ("prior_tki:generation", f"{levels['prior_alk_tki']}:{levels['regimen_class']}"),
    ):
        theta += draws[f"effect_{label.replace(':', '_')}"][:, blocks[label].levels.index(name)]
    return theta


def averaged(posterior: Any, theta: np.ndarray) -> np.ndarray:
    """Mean response rate over trials and cohorts, by a quadrature of our own over the normal deviations."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    sd = np.hypot(posterior.draws["tau_trial"], posterior.draws["tau_cohort"])
    return np.asarray(expit(theta[:, None] + sd[:, None] * nodes) @ weights / weights.sum())


SUPPORT = {
    "line": lambda frame: frame["prior_alk_tki"] == "none",
    "prior_alk_tki": lambda frame: frame["line"] == "pretreated",
    "regimen_class": lambda frame: frame["n"] > 0,
}
"""Cohorts whose patients could have had any level of the column: what a prior ALK TKI and a line exclude."""


@pytest.mark.parametrize(
    ("label", "column"), [("line",) * 2, ("prior_tki", "prior_alk_tki"), ("generation", "regimen_class")]
)
def test_levels_are_standardised_cohort_by_cohort(histories: Any, label: str, column: str) -> None:
    """The g-formula written out: each cohort's patients are given the level, and averaged by their number."""
    posterior, frame = histories
    patients = frame[SUPPORT[column](frame)]
    share = patients["n"].to_numpy() / patients["n"].sum()
    rows = list(pooled_draws(posterior))
    for level in set(frame[column]):
        thetas = [given(posterior, column, level, cohort) for _, cohort in patients.iterrows()]
        mean = np.column_stack([averaged(posterior, theta) for theta in thetas]) @ share
        typical = expit(np.column_stack(thetas) @ share)
        has = {tuple(row) for row in frame[["line", "prior_alk_tki", "regimen_class"]].to_numpy()}
        combinations = patients[["line", "prior_alk_tki", "regimen_class"]].assign(**{column: level}).to_numpy()
        predicted = sum(part for part, row in zip(share, combinations, strict=True) if tuple(row) not in has)
        for estimand, expected in (("mean", mean), ("typical", typical)):
            (found,) = [
                (row, draws)
                for row, draws in rows
                if (row["group"], row["level"], row["estimand"]) == (label, level, estimand)
            ]
            # The package's quadrature of the mean is exact to 1e-6 for SDs of this prior.
            np.testing.assert_allclose(found[1], expected, atol=2e-6)
            assert found[0]["predicted"] == pytest.approx(predicted, abs=1e-12)


def test_contrasts_are_the_differences_of_the_rows(histories: Any) -> None:
    posterior, _ = histories
    rows = {(row["group"], row["level"]): draws for row, draws in pooled_draws(posterior) if row["estimand"] == "mean"}
    found = 0
    for compared, scale, draws in contrast_draws(posterior):
        if scale == "risk_difference":
            contrast = compared.contrast
            first, second = (rows[contrast.column, level] for level in (contrast.first, contrast.second))
            np.testing.assert_allclose(draws, first - second, atol=1e-12)
            found += 1
    assert found == 3 + 10 + 10


@pytest.mark.parametrize("standard", list(Standard))
def test_contrasts_tell_of_which_share_of_patients_a_side_is_predicted(histories: Any, standard: Standard) -> None:
    """Cohort by cohort: a patient counts where the table has no cohort like him with the one level or the other."""
    posterior, frame = histories
    posterior = replace(posterior, standard=standard)
    names = ["line", "prior_alk_tki", "regimen_class"]
    has = {tuple(row) for row in frame[names].to_numpy()}
    found = contrast_table(posterior)
    columns = {"line": "line", "prior_tki": "prior_alk_tki", "generation": "regimen_class"}
    over = pooled_table(posterior).query("estimand == 'mean'").drop_duplicates("group").set_index("group")
    for compared in found.to_dict("records"):
        column, levels = columns[compared["column"]], [compared["first"], compared["second"]]
        same = standard is Standard.SAME
        patients = frame[SUPPORT[column](frame) if same else frame[column].isin(levels)]
        sides = [patients[names].assign(**{column: level}).to_numpy() for level in levels]
        unseen = [any(tuple(side) not in has for side in pair) for pair in zip(*sides, strict=True)]
        share = patients["n"].to_numpy()[unseen].sum() / patients["n"].sum()
        assert compared["predicted"] == pytest.approx(share, abs=1e-12), compared
        assert compared["over"] == (over.loc[compared["column"], "over"] if same else "")
    # Of some contrasts both sides are everybody's own, of others a side is nobody's.
    assert found["predicted"].min() < 0.5 < found["predicted"].max()


def test_rows_over_their_own_patients_stand_beside_the_standardised_ones(histories: Any) -> None:
    posterior, _ = histories
    same, own = pooled_table(posterior), pooled_table(replace(posterior, standard=Standard.OWN))
    for name in ("mean", "median", "low", "high"):
        np.testing.assert_array_equal(same[f"own_{name}"], own[name])
    assert not {"over", "predicted", "own_mean"} & set(own.columns)
    unchanged = same[same["over"] == ""].index
    pd.testing.assert_frame_equal(same.loc[unchanged, own.columns], own.loc[unchanged])
    # All cohorts and cells of two columns are over their own patients, and so is the registry's rate of any row.
    assert set(same.loc[unchanged, "group"]) >= {"all", "line:generation", "prior_tki:generation"}
    assert (same.loc[same["estimand"] == "these_cohorts", "over"] == "").all()


def test_a_model_of_one_column_has_nothing_to_standardise_over(case_of: Any, posterior_from: Any) -> None:
    design = case_of("line").design
    draws = from_prior(design, rng=np.random.default_rng(1), draws=20)
    table = pooled_table(posterior_from(design, draws, standard=Standard.SAME))
    assert (table["over"] == "").all()
    assert (table["median"] == table["own_median"]).all()
