"""Two outcomes with correlated deviations: the structure, and the density against SciPy's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from alkbayes.errors import SpecError
from alkbayes.inference.nuts.joint_model import build_joint_model
from alkbayes.likelihood.links import Link
from alkbayes.model.design import Design, parameters
from alkbayes.model.draws import from_unconstrained
from alkbayes.model.joint import Joint, from_positions, lay_together
from alkbayes.spec.priors import Beta, StudentT

SECOND = np.array([0, 2, 3, 4, 7])
"""Cohorts that have the second outcome, of four trials; their order is not that of the first table's units."""
RESPONDERS, PATIENTS = np.array([4.0, 9.0, 1.0, 0.0, 3.0]), np.array([9.0, 12.0, 5.0, 6.0, 3.0])


@pytest.fixture(scope="module")
def first(case_of: Callable[[str], Any], spec_of: Any, table_of: Any) -> Design:
    from alkbayes.model.design import build_design

    half = {"dist": "half_normal", "sd": 0.7}
    spec = spec_of(
        effect=[{"column": "regimen_class", "kind": "exchangeable", "sd_prior": half}],
        heterogeneity=[
            {"column": "trial", "distribution": "normal", "sd_prior": half},
            {"column": "cohort_id", "distribution": "normal", "sd_prior": half},
        ],
    )
    return build_design(spec, table_of())


@pytest.fixture(scope="module")
def joint(first: Design, spec_of: Any, table_of: Any) -> Joint:
    from alkbayes.model.design import build_design

    spec = spec_of(
        effect=[
            {
                "column": "line",
                "kind": "fixed",
                "reference": "naive",
                "prior": {"dist": "normal", "mean": 0.2, "sd": 1.0},
            }
        ],
        heterogeneity=[
            {"column": "trial", "distribution": "normal", "sd_prior": {"dist": "exponential", "mean": 0.4}},
            {"column": "cohort_id", "distribution": "normal", "sd_prior": {"dist": "half_normal", "sd": 0.3}},
        ],
    )
    evidence = table_of()
    frame = evidence.frame.iloc[SECOND].reset_index(drop=True)
    frame = frame.assign(responders=RESPONDERS.astype(int), n=PATIENTS.astype(int))
    return lay_together(first, build_design(spec, replace(evidence, frame=frame)))


def test_units_of_the_second_are_found_among_those_of_the_first(joint: Joint) -> None:
    first, second = joint.first, joint.second
    assert [first.cohorts[at] for at in joint.cohort_of] == list(second.cohorts) == ["a1", "b1", "b2", "c1", "d3"]
    assert first.group is not None
    assert second.group is not None
    assert [first.group.units[at] for at in joint.group_of] == list(second.group.units) == ["A", "B", "C", "D"]
    assert joint.size == sum(item.size for design in (first, second) for item in parameters(design)) + 1


def test_draws_have_the_correlation_that_they_say(joint: Joint) -> None:
    positions = np.random.default_rng(1).standard_normal((2, 3000, joint.size))
    split = sum(item.size for item in parameters(joint.first))
    positions[..., split] = logit((1 + 0.6) / 2)
    draws = from_positions(joint, positions)
    np.testing.assert_allclose(draws.rho, 0.6)
    for name, expected in from_unconstrained(joint.first, positions[..., :split]).items():
        np.testing.assert_array_equal(draws.first[name], expected)
    for name, of in (("z_trial", joint.group_of), ("z_cohort", joint.cohort_of)):
        e = (draws.second[name] - 0.6 * draws.first[name][..., of]) / 0.8
        # The innovations are what the sampler saw: standard normal here, and of the first's deviations independent.
        assert e.mean() == pytest.approx(0, abs=0.03)
        assert e.std() == pytest.approx(1, abs=0.02)
    second = draws.second
    eta = second["alpha"][..., None] + np.where(
        joint.second.profiles["line"] == "naive",
        0.0,
        np.take_along_axis(
            np.concatenate([np.zeros((2, 3000, 1)), second["beta_line"]], axis=-1),
            np.broadcast_to(joint.second.effects[0].index, (2, 3000, 5)),
            axis=-1,
        ),
    )
    assert joint.second.group is not None
    theta = eta + second["tau_trial"][..., None] * second["z_trial"][..., joint.second.group.index]
    theta = theta + second["tau_cohort"][..., None] * second["z_cohort"]
    np.testing.assert_allclose(second["theta"], theta)
    np.testing.assert_allclose(second["p"], expit(theta))


@pytest.mark.slow
def test_density_is_scipys(joint: Joint, scipy_of: Callable[[Any], Any]) -> None:
    # The joint density of all parameters and counts, up to the change of variables, whose part of the first design
    # tests of single models cover: differences between points that share it are held against SciPy's.
    model = build_joint_model(joint)
    split = sum(item.size for item in parameters(joint.first))
    rng = np.random.default_rng(3)
    start = rng.normal(0, 0.8, joint.size)
    points = [start.copy() for _ in range(4)]
    for point in points[1:]:
        point[split:] = rng.normal(0, 1.2, joint.size - split)
    log_density = model.compile_logp(mode="FAST_COMPILE")
    names = [model.rvs_to_values[variable].name for variable in model.free_RVs]
    shapes = [tuple(model.initial_point()[name].shape) for name in names]
    found, expected = [], []
    for point in points:
        pieces, at = {}, 0
        for name, shape in zip(names, shapes, strict=True):
            size = int(np.prod(shape, dtype=int))
            pieces[name] = point[at : at + size].reshape(shape)
            at += size
        assert at == joint.size
        found.append(float(log_density(pieces)))
        expected.append(by_scipy(joint, point, split, scipy_of))
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-9)


def by_scipy(joint: Joint, point: np.ndarray, split: int, scipy_of: Callable[[Any], Any]) -> float:
    """Return the log of what the second outcome and rho add to the first's density, and their change of variables."""
    draws = from_positions(joint, point[None, None])
    second = {name: values[0, 0] for name, values in draws.second.items()}
    rho = draws.rho[0, 0]
    total = stats.uniform(-1, 2).logpdf(rho) + np.log(2 * expit(point[split]) * expit(-point[split]))
    start = split + 1
    for item in parameters(joint.second):
        seen = point[start : start + item.size]
        start += item.size
        if item.name.startswith("z_"):
            total += stats.norm.logpdf(seen).sum()
        elif item.support == "positive":
            step = 1e-6
            nudged = []
            for sign in (-1, 1):
                beside = point.copy()
                beside[start - 1] += sign * step
                nudged.append(from_positions(joint, beside[None, None]).second[item.name][0, 0])
            slope = (nudged[1] - nudged[0]) / (2 * step)
            total += scipy_of(item.prior).logpdf(second[item.name]) + np.log(slope)
        else:
            total += scipy_of(item.prior).logpdf(np.atleast_1d(second[item.name])).sum()
    return float(total + stats.binom.logpmf(RESPONDERS, PATIENTS, second["p"]).sum())


@pytest.mark.parametrize("which", ["first", "second"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cohort": None}, "needs normal heterogeneity of trials and of cohorts"),
        ({"group": None}, "needs normal heterogeneity of trials and of cohorts"),
        ({"link": Link.PROBIT}, "needs binomial counts and logits"),
        ({"rho_prior": Beta(dist="beta", a=1.0, b=9.0)}, "needs binomial counts and logits"),
    ],
    ids=["no cohorts", "no trials", "probit", "beta-binomial"],
)
def test_designs_that_cannot_be_joined_are_refused(
    joint: Joint, which: str, change: dict[str, Any], words: str
) -> None:
    designs = {"first": joint.first, "second": joint.second}
    designs[which] = replace(designs[which], **change)
    with pytest.raises(SpecError, match=words):
        lay_together(designs["first"], designs["second"])


def test_heavy_tails_are_refused(joint: Joint) -> None:
    cohort = joint.second.cohort
    assert cohort is not None
    heavy = replace(cohort, unit_prior=StudentT(dist="student_t", nu=4.0, mean=0.0, sd=1.0))
    with pytest.raises(SpecError, match="needs normal heterogeneity"):
        lay_together(joint.first, replace(joint.second, cohort=heavy))


def test_a_cohort_that_the_first_has_not_is_named(joint: Joint) -> None:
    second = replace(joint.second, cohorts=("zz", *joint.second.cohorts[1:]))
    with pytest.raises(SpecError, match="the first has no 'zz'"):
        lay_together(joint.first, second)


def test_one_outcome_whose_trials_give_one_cohort_each_keeps_both_levels(spec_of: Any, table_of: Any) -> None:
    from alkbayes.model.design import build_design

    half = {"dist": "half_normal", "sd": 0.7}
    terms = [{"column": name, "distribution": "normal", "sd_prior": half} for name in ("trial", "cohort_id")]
    spec, evidence = spec_of(heterogeneity=terms), table_of()
    each = evidence.frame.drop_duplicates("trial").reset_index(drop=True)
    second = build_design(spec, replace(evidence, frame=each))
    assert [term.label for term in second.heterogeneity] == ["total"]
    joint = lay_together(build_design(spec, evidence), second)
    assert [term.label for term in joint.second.heterogeneity] == ["trial", "cohort"]
    assert [term.sd_prior for term in joint.second.heterogeneity] == [term.sd_prior for term in spec.heterogeneity]
    assert joint.second.cohort is not None
    assert joint.second.cohort.units == tuple(each["cohort_id"])
