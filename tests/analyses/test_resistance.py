"""Resistance mutations: intervals and posteriors against SciPy, and that little is said to be little."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit, k0

from alkbayes.analyses.resistance import Resistance, resistance_of
from alkbayes.evidence.resistance import read_resistance
from alkbayes.inference.settings import SamplerSettings
from alkbayes.spec.schema import model_names, other_model_path, read_spec

TAIL = 0.011
"""Four standard errors of the share of 4,000 draws below a true 2.5 % point, 0.0025 each, and the duplicates' part."""
MIDDLE = 0.035
"""The same of the median."""


@pytest.fixture(scope="module")
def found() -> Resistance:
    return resistance_of(read_resistance())


def of(table: pd.DataFrame, **values: str) -> dict:
    for name, value in values.items():
        table = table[table[name] == value]
    (row,) = table.to_dict(orient="records")
    return row


def test_how_little_there_is_is_said_first(found: Resistance) -> None:
    assert found.few[0] == (
        "Sparse data: 9 counts from 6 sets of samples, on 6 questions that are not pooled together. No question "
        "has more than 3 rows after one generation of inhibitor."
    )
    assert found.few[1] == (
        "any ALK mutation in tissue: 1 row after generation 1 (4 of 11 samples) and 1 row after mixed inhibitors "
        "(40 of 164 samples)."
    )
    assert found.gaps[0] == (
        "No row of any kind after asp3026, brigatinib, ceritinib, ensartinib, iruplinalkib and neladalkib."
    )
    assert found.gaps[1].startswith("After alectinib and lorlatinib particular mutations were counted, but not any")
    assert "lorlatinib-phase2-baseline (2 rows)" in found.gaps[2]
    assert found.failures == ()


def test_intervals_of_rows_are_scipys(found: Resistance) -> None:
    assert len(found.rows) == 9
    for row in [*found.rows.to_dict("records"), *found.responses.to_dict("records")]:
        x, n = (row["n_with"], row["n_biopsies"]) if "n_with" in row else (row["responders"], row["n"])
        exact = stats.binomtest(x, n).proportion_ci(0.95, method="exact")
        assert (row["exact_low"], row["exact_high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)
        jeffreys = stats.beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)
        assert row["jeffreys_high"] == pytest.approx(jeffreys[1], abs=1e-9)
        assert row["jeffreys_low"] == pytest.approx(jeffreys[0] if x else 0.0, abs=1e-9)


def one_row_posterior(x: int, n: int):
    """Return the distribution function of the typical logit given one row, by quadrature in one variable.

    A normal deviation whose SD is half-normal with scale s is the product of two normals, whose density is
    K0(|d| / s) / (pi s); its logarithmic pole is at 0.
    """
    spec = read_spec(other_model_path("resistance"))
    s, sd = spec.heterogeneity[0].sd_prior.sd, spec.intercept.prior.sd

    def likelihood(alpha: float) -> float:
        def integrand(d: float) -> float:
            density = k0(d / s) / (np.pi * s)
            return density * sum(p**x * (1 - p) ** (n - x) for p in (expit(alpha - d), expit(alpha + d)))

        return integrate.quad(integrand, 0, 12 * s, limit=200)[0]

    grid = np.linspace(-6, 6, 121)
    density = np.array([likelihood(alpha) for alpha in grid]) * stats.norm.pdf(grid, 0, sd)
    below = integrate.cumulative_simpson(density, x=grid, initial=0)
    return lambda alpha: np.interp(alpha, grid, below / below[-1])


@pytest.mark.parametrize(("mutation_set", "x", "n"), [("G1269A", 2, 11), ("I1171X or V1180L", 5, 9)])
def test_the_posterior_of_one_row_is_that_of_quadrature(found: Resistance, mutation_set: str, x: int, n: int) -> None:
    row = of(found.prevalence, mutation_set=mutation_set, estimand="typical")
    assert (row["with_mutation"], row["samples"], row["k"]) == (x, n, 1)
    below = one_row_posterior(x, n)
    at = {name: np.log(row[name] / (1 - row[name])) for name in ("low", "median", "high")}
    assert below(at["low"]) == pytest.approx(0.025, abs=TAIL)
    assert below(at["median"]) == pytest.approx(0.5, abs=MIDDLE)
    assert below(at["high"]) == pytest.approx(0.975, abs=TAIL)


@pytest.mark.parametrize(
    ("assay", "level", "counts"),
    [
        ("plasma", "mixed", [(16, 31, 0), (10, 26, 0), (45, 189, 0)]),
        ("tissue", "1", [(4, 11, 1), (40, 164, -1)]),
        ("tissue", "mixed", [(4, 11, -1), (40, 164, 1)]),
    ],
)
def test_posteriors_of_several_rows_are_those_of_weighted_prior_draws(
    found: Resistance, assay: str, level: str, counts: list[tuple[int, int, int]]
) -> None:
    """Brute force: draws of the prior, written anew, weighted by the likelihood.

    `side` is the sign of a row's effect: with two generations their effects are sd * raw / sqrt(2), up and down.
    """
    rng = np.random.default_rng(8)
    size = 400_000
    alpha, raw = rng.normal(0, 1.5, size), rng.normal(size=size)
    sd, tau = (np.abs(rng.normal(0, 0.5, size)) for _ in range(2))
    effect = sd * raw / np.sqrt(2)
    log_weight = np.zeros(size)
    for x, n, side in counts:
        log_weight += stats.binom.logpmf(x, n, expit(alpha + side * effect + tau * rng.normal(size=size)))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    assert 1 / (weight**2).sum() > 5_000, "effective draws"
    row = of(found.prevalence, mutation_set="any ALK mutation", assay=assay, after_generation=level, estimand="typical")
    typical = expit(alpha + (0 if assay == "plasma" else effect))
    for name, share, tolerance in (("low", 0.025, TAIL), ("median", 0.5, MIDDLE), ("high", 0.975, TAIL)):
        assert weight[typical < row[name]].sum() == pytest.approx(share, abs=tolerance), name
    spread = of(found.spread, mutation_set="any ALK mutation", assay=assay, parameter="tau_cohort")
    assert weight[tau < spread["high"]].sum() == pytest.approx(0.975, abs=TAIL)
    assert weight[tau < spread["median"]].sum() == pytest.approx(0.5, abs=MIDDLE)


def test_priors_are_those_of_the_model_file(found: Resistance) -> None:
    for row in found.spread.to_dict("records"):
        # 50,000 draws: four standard errors of the share below a quantile.
        for name, share, error in (
            ("prior_low", 0.025, 0.003),
            ("prior_median", 0.5, 0.009),
            ("prior_high", 0.975, 0.003),
        ):
            assert stats.halfnorm.cdf(row[name], scale=0.5) == pytest.approx(share, abs=error)
    row = of(found.prevalence, mutation_set="G1202R", estimand="typical")
    assert stats.norm.cdf(np.log(row["prior_high"] / (1 - row["prior_high"])) / 1.5) == pytest.approx(0.975, abs=0.003)


def test_one_row_a_generation_is_said_to_say_nothing_of_how_sets_differ(found: Resistance) -> None:
    (tissue,) = [each for each in found.findings if "SD between generations" in each]
    assert "one row a generation says next to nothing of it" in tissue
    (plasma,) = [each for each in found.findings if each.startswith("any ALK mutation in plasma: the SD")]
    assert "next to nothing" not in plasma
    alone = found.spread[found.spread["k"] == found.spread["generations"]]
    width = (alone["high"] - alone["low"]) / (alone["prior_high"] - alone["prior_low"])
    assert width.between(0.8, 1.15).all()
    assert "2 of 8 rows have counts" in found.findings[-1]


def test_questions_are_never_pooled(found: Resistance) -> None:
    one = found.prevalence[found.prevalence["estimand"] == "mean"]
    assert list(zip(one["mutation_set"], one["assay"], one["k"], one["samples"], strict=True)) == [
        ("any ALK mutation", "tissue", 1, 11),
        ("any ALK mutation", "tissue", 1, 164),
        ("G1269A", "tissue", 1, 11),
        ("compound (>=2 ALK mutations)", "tissue", 1, 20),
        ("I1171X or V1180L", "tissue", 1, 9),
        ("G1202R", "tissue", 1, 9),
        ("any ALK mutation", "plasma", 3, 246),
    ]
    assert (found.rows["low"] < found.rows["median"]).all()


def test_a_row_beside_changes_nothing_but_is_shown(tmp_path: Path) -> None:
    header = "mutation_set,after_agent,after_generation,assay,n_biopsies,n_with,sample_set,counted\n"
    rows = "any ALK mutation,alectinib,2,tissue,20,8,a,yes\nany ALK mutation,ceritinib,2,tissue,30,9,b,yes\n"
    results = []
    for name, more in (("one", ""), ("two", "any ALK mutation,alectinib,2,tissue,9,9,a,no\n")):
        path = tmp_path / f"{name}.csv"
        path.write_text(header + rows + more, encoding="utf-8")
        results.append(resistance_of(read_resistance(path), settings=SamplerSettings(draws=500)))
    one, two = results
    pd.testing.assert_frame_equal(one.prevalence, two.prevalence)
    assert two.rows["median"].isna().tolist() == [False, False, True]
    assert two.rows["exact_low"].notna().all()
    assert one.prevalence["agents"].tolist() == ["alectinib, ceritinib"] * 3
    assert one.responses.empty, "the bundled responses are not of this table"
    assert one.printed.empty


def test_the_model_is_not_among_those_of_cohorts() -> None:
    assert "resistance" not in model_names()
    assert read_spec(other_model_path("resistance")).name == "resistance"
