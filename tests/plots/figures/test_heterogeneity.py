"""Prior and posterior of the taus."""

import numpy as np
import pytest
from scipy import stats

from alkbayes.estimates.rates import heterogeneity_draws, posterior_of
from alkbayes.model.prior_implications import heterogeneity_priors
from alkbayes.plots.figures.heterogeneity import BINS, heterogeneity, title_of
from alkbayes.text.wording import size_text


@pytest.fixture(scope="module")
def draws(run):
    priors = heterogeneity_priors(run.fit.design, draws=200_000)
    return priors, dict(heterogeneity_draws(posterior_of(run.fit)))


@pytest.fixture(scope="module")
def seen(run, draws, see):
    (page,) = heterogeneity(*draws, run.results.heterogeneity)
    return see(page)


def test_each_standard_deviation_has_a_panel(seen, run) -> None:
    assert len(seen.figure.axes) == 4
    table = run.results.heterogeneity.set_index("parameter")
    for name in ("tau_trial", "tau_cohort", "tau_total", "sd_generation"):
        row = table.loc[name]
        assert seen.one(f"interval-{name}").get_xdata() == pytest.approx([row["low"], row["high"]])
        assert seen.points(f"median-{name}")[0][0] == pytest.approx(row["median"])
        assert any(size_text(row) in word for word in seen.words)
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_densities_are_densities(seen, draws) -> None:
    values, edges, _ = seen.one("posterior-tau_trial").get_data()
    inside = (draws[1]["tau_trial"] <= edges[-1]).mean()
    assert (values * np.diff(edges)).sum() == pytest.approx(inside)
    # The bundled model's prior of tau_trial is half-normal with SD 0.5. A bin of 200,000 draws holds some 5,000 of
    # them, with a relative error of 1.4 % or less but in the tail; the largest of 36 is within four of that.
    x, height = seen.one("prior-tau_trial").get_data()
    assert len(x) == BINS
    middle = x < 0.8
    assert height[middle] == pytest.approx(stats.halfnorm(scale=0.5).pdf(x[middle]), rel=0.08)


def test_the_prior_of_all_heterogeneity_is_that_of_its_parts(draws) -> None:
    # Two half-normals of SD 0.5: their squares' sum is 0.25 chi-squared with 2 degrees of freedom.
    assert np.quantile(draws[0]["tau_total"], [0.25, 0.5, 0.9]) == pytest.approx(
        stats.rayleigh(scale=0.5).ppf([0.25, 0.5, 0.9]), rel=0.02
    )


def test_without_heterogeneity_there_is_nothing_to_draw(run) -> None:
    with pytest.raises(ValueError, match="no heterogeneity"):
        heterogeneity({}, {"i2": np.ones(3)}, run.results.heterogeneity)


@pytest.mark.parametrize(
    ("parameter", "title"),
    [
        ("sd_generation", "between levels of TKI generation"),
        ("sd_prior_tki_generation", "prior ALK TKI : TKI generation"),
        ("sd_my_column", "between levels of my column"),
    ],
)
def test_panels_have_the_titles_of_columns(parameter: str, title: str) -> None:
    assert title_of(parameter) == title


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["tau_trial", "tau_cohort", "tau_total"], "between cohorts of one trial"),
        (["tau_cohort", "sd_line"], "between cohorts"),
    ],
)
def test_cohorts_are_of_one_trial_only_where_the_model_has_trials(names: list[str], title: str) -> None:
    assert title_of("tau_cohort", names) == title
