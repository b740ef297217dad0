"""What a run's draws are worth: every number, every sign, and a verdict that follows from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from alkbayes.criticism.diagnosis import Diagnosis, diagnosis_of, gate_of, where_divergent
from alkbayes.criticism.verdicts import Verdict
from alkbayes.estimates.headline import headline_of, reported_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit, fit_model, judged
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.summary import summarise

SETTINGS = SamplerSettings(seed=3, chains=4, draws=500)


@pytest.fixture(scope="module")
def integrated(case_of: Callable[..., Any]) -> Fit:
    case = case_of("group-only")
    return fit_model(case.spec, case.evidence, engine=Engine.QUADRATURE, settings=SETTINGS)


def as_chains(fit: Fit, **stats: np.ndarray) -> Fit:
    """Return these draws as if a sampler had made them, with good statistics but for `stats`."""
    rng = np.random.default_rng(1)
    shape = SETTINGS.chains, SETTINGS.draws
    good = {
        "diverging": np.zeros(shape, dtype=bool),
        "energy": rng.standard_normal(shape),
        "lp": rng.standard_normal(shape),
        "tree_depth": np.full(shape, 4),
        "reached_max_treedepth": np.zeros(shape, dtype=bool),
    }
    groups = {name: group.to_dataset() for name, group in fit.tree.children.items()}
    groups["sample_stats"] = xr.Dataset({name: (("chain", "draw"), each) for name, each in (good | stats).items()})
    chains = replace(
        fit,
        tree=xr.DataTree.from_dict(groups),
        provenance=replace(fit.provenance, engine=Engine.NUTS, weights=None),
    )
    return replace(chains, diagnostics=gate_of(chains))


@pytest.fixture(scope="module")
def sampled(integrated: Fit) -> Fit:
    return as_chains(integrated)


def verdicts(found: Diagnosis) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in found.findings}


def test_every_reported_number_and_every_parameter_has_its_row(sampled: Fit, integrated: Fit) -> None:
    for fit in (sampled, integrated):
        table = diagnosis_of(fit).quantities
        posterior = posterior_of(fit)
        numbers = list(reported_of(posterior))
        reported, parameters = (table[table["kind"] == kind] for kind in ("reported", "parameter"))
        assert reported["name"].tolist() == [number.name for number in numbers]
        assert set(reported.loc[reported["headline"], "name"]) == {number.name for number in headline_of(posterior)}
        for name in ("mean", "sd", "median", "low", "high"):
            assert reported[name].tolist() == [summarise(number.draws)[name] for number in numbers]
        entries = sum(values[0, 0].size for values in judged(fit.tree["posterior"].to_dataset()).data_vars.values())
        assert len(parameters) == len(set(parameters["name"])) == entries
        assert "z_trial[A]" in set(parameters["name"])
        assert reported["rhat"].isna().all() == (fit is integrated)


def test_good_draws_pass_every_check(sampled: Fit, integrated: Fit) -> None:
    chains = diagnosis_of(sampled)
    assert set(verdicts(chains)) == {
        "R-hat", "bulk ESS", "tail ESS", "divergences", "E-BFMI", "tree depth", "Monte Carlo error", "record"
    }  # fmt: skip
    weighted = diagnosis_of(integrated)
    assert set(verdicts(weighted)) == {
        "Pareto k", "importance ESS", "thin proposal", "duplicates", "quadrature error", "Monte Carlo error", "record"
    }  # fmt: skip
    for found in (chains, weighted):
        assert set(verdicts(found).values()) == {Verdict.PASSED}
        assert found.failures == ()
        assert found.conclusion == "The numbers of this run can be used: all diagnostics passed."
        assert all(check.finding.endswith(".") and not check.advice for check in found.findings)
        json.dumps(found.as_record(), allow_nan=False)
    assert chains.gate == sampled.diagnostics
    assert weighted.gate == integrated.diagnostics


@pytest.mark.parametrize(
    ("name", "stats"),
    [
        ("divergences", {"diverging": np.arange(2000).reshape(4, 500) == 77}),
        # A walk of the energy that hardly moves between transitions.
        ("E-BFMI", {"energy": np.cumsum(np.random.default_rng(2).standard_normal((4, 500)), axis=1)}),
    ],
)
def test_bad_transitions_fail_with_advice(integrated: Fit, name: str, stats: dict[str, np.ndarray]) -> None:
    found = diagnosis_of(as_chains(integrated, **stats))
    assert [check for check, verdict in verdicts(found).items() if verdict is Verdict.FAILED] == [name]
    assert found.conclusion == f"Do not use the numbers of this run: {name} failed."
    assert len(found.failures) == 1
    (check,) = [check for check in found.findings if check.name == name]
    assert check.advice


def test_chains_that_stand_apart_fail(sampled: Fit) -> None:
    posterior = sampled.tree["posterior"].to_dataset()
    apart = posterior.assign(alpha=posterior["alpha"] + xr.DataArray([0.0, 0.0, 0.0, 1.0], dims="chain"))
    groups = {name: group.to_dataset() for name, group in sampled.tree.children.items()} | {"posterior": apart}
    fit = replace(sampled, tree=xr.DataTree.from_dict(groups))
    found = diagnosis_of(replace(fit, diagnostics=gate_of(fit)))
    assert verdicts(found)["R-hat"] is Verdict.FAILED
    assert "R-hat of alpha is" in found.failures[0]
    # Chains that stand still have no R-hat at all, which is no pass.
    still = posterior.assign(alpha=xr.zeros_like(posterior["alpha"]))
    fit = replace(sampled, tree=xr.DataTree.from_dict(groups | {"posterior": still}))
    assert verdicts(diagnosis_of(replace(fit, diagnostics=gate_of(fit))))["R-hat"] is Verdict.FAILED


def test_many_deep_trees_want_attention_and_no_more(integrated: Fit) -> None:
    cut = np.zeros((4, 500), dtype=bool)
    cut[:, :20] = True
    found = diagnosis_of(as_chains(integrated, reached_max_treedepth=cut))
    assert found.depth == (4, 0.04)
    assert verdicts(found)["tree depth"] is Verdict.ATTENTION
    assert found.failures == ()
    assert found.conclusion == "The numbers of this run can be used; look at tree depth first."


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Pareto k", {"pareto_k": 0.9}),
        ("importance ESS", {"ess": 300.0}),
        ("thin proposal", {"thin_share": 0.006}),
        ("quadrature error", {"quadrature_error": np.nan}),
    ],
)
def test_bad_weights_fail(integrated: Fit, name: str, changes: dict[str, float]) -> None:
    assert integrated.provenance.weights is not None
    weights = replace(integrated.provenance.weights, **changes)
    fit = replace(integrated, provenance=replace(integrated.provenance, weights=weights))
    found = diagnosis_of(replace(fit, diagnostics=gate_of(fit)))
    assert [check for check, verdict in verdicts(found).items() if verdict is Verdict.FAILED] == [name]


def test_draws_that_are_copies_of_few_fail(integrated: Fit) -> None:
    groups = {name: group.to_dataset() for name, group in integrated.tree.children.items()}
    stats = groups["sample_stats"]
    groups["sample_stats"] = stats.assign(proposal=stats["proposal"] % 300)
    fit = replace(integrated, tree=xr.DataTree.from_dict(groups))
    found = diagnosis_of(replace(fit, diagnostics=gate_of(fit)))
    assert [check for check, verdict in verdicts(found).items() if verdict is Verdict.FAILED] == ["duplicates"]


def test_a_record_of_other_draws_fails(sampled: Fit) -> None:
    first, *others = sampled.diagnostics.checks
    changes: dict[str, Any]
    for changes in (
        {"checks": (replace(first, passed=False), *others)},
        {"ess_bulk_min": 401.0},
        {"divergences": 3},
    ):
        found = diagnosis_of(replace(sampled, diagnostics=replace(sampled.diagnostics, **changes)))
        assert [check for check, verdict in verdicts(found).items() if verdict is Verdict.FAILED] == ["record"]


def test_the_place_of_divergences_is_found_on_any_scale() -> None:
    rng = np.random.default_rng(4)
    log_tau, other = rng.standard_normal((2, 4, 500))
    data = xr.Dataset(
        {
            "other": (("chain", "draw"), other),
            "tau": (("chain", "draw"), np.exp(log_tau)),
            "log_tau": (("chain", "draw"), log_tau),
            "z": (("chain", "draw", "trial"), np.stack([other, -log_tau], axis=-1)),
        },
        coords={"trial": ["A", "B"]},
    )
    found = where_divergent(data, log_tau < np.quantile(log_tau, 0.05))
    assert found["parameter"].tolist()[:3] == ["tau", "log_tau", "z[B]"]
    # The mean of the lowest 5 % of a standard normal less that of the others, 0.103 / 0.05 and 0.103 / 0.95.
    assert found["difference"].to_numpy()[:3] == pytest.approx([-2.17, -2.17, 2.17], abs=0.05)
    # Of a parameter that has nothing to do with it: 100 divergent draws, of standard error 0.1.
    assert found["difference"].abs().to_numpy()[3:] == pytest.approx([0.0, 0.0], abs=0.3)


@pytest.mark.parametrize("every", [False, True])
def test_without_divergent_or_other_draws_there_is_no_place(every: bool) -> None:
    data = xr.Dataset({"x": (("chain", "draw"), np.random.default_rng(1).standard_normal((2, 50)))})
    assert where_divergent(data, np.full((2, 50), every)).empty
