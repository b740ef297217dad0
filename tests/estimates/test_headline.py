"""The reported numbers are those of the tables, each once, under keys that hold across fits."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from alkbayes.estimates.headline import CONTRAST, HETEROGENEITY, POOLED, headline_of, reported_of
from alkbayes.estimates.rates import Posterior, contrast_table, heterogeneity_table, pooled_table
from alkbayes.evidence.table import read_evidence
from alkbayes.model.design import build_design
from alkbayes.model.draws import from_prior
from alkbayes.model.summary import summarise
from alkbayes.spec.schema import model_path, read_spec


@pytest.fixture(scope="module", params=["line-generation", "overall", "beta-binomial", "sequence"])
def posterior(request: pytest.FixtureRequest, posterior_from: Callable[..., Posterior]) -> Posterior:
    spec = read_spec(model_path(request.param))
    design = build_design(spec, read_evidence(needed=spec.columns))
    return posterior_from(design, from_prior(design, rng=np.random.default_rng(1), draws=50))


def test_every_number_of_the_tables_is_reported_in_their_order(posterior: Posterior) -> None:
    numbers = list(reported_of(posterior))
    tables = {POOLED: pooled_table, CONTRAST: contrast_table, HETEROGENEITY: heterogeneity_table}
    expected = pd.concat([make(posterior)[["mean", "median"]] for make in tables.values()])
    found = pd.DataFrame([summarise(number.draws) for number in numbers])[["mean", "median"]]
    np.testing.assert_array_equal(found, expected)
    assert [number.table for number in numbers] == [
        name for name, make in tables.items() for _ in make(posterior).index
    ]
    assert len({number.key for number in numbers}) == len({number.name for number in numbers}) == len(numbers)


def test_the_headline_is_a_few_of_them(posterior: Posterior) -> None:
    every = {number.key: number for number in reported_of(posterior)}
    headline = headline_of(posterior)
    assert {number.key for number in headline} < set(every)
    assert [number.name for number in headline][:2] == ["overall, mean", "overall, next cohort"]
    assert headline[-1].table == HETEROGENEITY
    for number in headline:
        np.testing.assert_array_equal(number.draws, every[number.key].draws)


def test_the_headline_of_the_default_model(posterior_from: Callable[..., Posterior]) -> None:
    spec = read_spec(model_path("line-generation"))
    design = build_design(spec, read_evidence(needed=spec.columns))
    posterior = posterior_from(design, from_prior(design, rng=np.random.default_rng(1), draws=10))
    assert [number.name for number in headline_of(posterior)] == [
        "overall, mean",
        "overall, next cohort",
        "line naive, mean",
        "line pretreated, mean",
        "line mixed, mean",
        "line pretreated vs naive, risk difference",
        "line mixed vs naive, risk difference",
        "line mixed vs pretreated, risk difference",
        "tau_total",
    ]
