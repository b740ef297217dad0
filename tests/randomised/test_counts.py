"""Networks of counts against GeMTC's and multinma's posteriors, lme4, and integrals by brute force."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from alkbayes.randomised.contrasts import difference
from alkbayes.randomised.counts import estimate_counts, posterior_of_counts
from alkbayes.randomised.integrals import batches_of, log_integrals
from alkbayes.randomised.network import CountTrial, Network, design_of
from alkbayes.randomised.posterior import NetworkPosterior
from alkbayes.randomised.priors import Priors, TauPrior

type Read = Callable[..., Network[CountTrial]]

SMOKING = ("No intervention", "Group counselling", "Individual counselling", "Self-help")
"""In multinma's order, by which it attributes the inconsistency of a trial of three arms."""
THROMBOLYTICS = ("SK", "Acc t-PA", "ASPAC", "PTCA", "r-PA", "SK + t-PA", "t-PA", "TNK", "UK")
TSD = Priors(TauPrior("uniform", 5.0), effect_sd=100.0, baseline_sd=100.0)
"""The priors of NICE DSU TSD 2, section 6."""
MULTINMA = Priors(TauPrior("half-normal", 5.0), effect_sd=100.0, baseline_sd=100.0)
ERRORS = 4.0
"""Monte Carlo standard errors by which two computations may differ: one such difference in 16,000 is larger."""


def mean_error(draws: np.ndarray, ess: float, sd: float, theirs: float) -> float:
    """Return the tolerance of a mean: Monte Carlo errors of ours, of `ess` draws, and of theirs."""
    return ERRORS * float(np.hypot(draws.std() / np.sqrt(ess), sd / np.sqrt(theirs)))


def sd_error(draws: np.ndarray, ess: float, theirs: float) -> float:
    """Return the tolerance of an SD, whose Monte Carlo error is about the SD over sqrt(2 ESS), with heavier tails."""
    return ERRORS * 1.5 * float(draws.std() * np.sqrt(1 / (2 * ess) + 1 / (2 * theirs)))


@pytest.fixture(scope="module")
def smoking(published: Read) -> Network[CountTrial]:
    return published("smoking", SMOKING)


def posterior(network: Network[CountTrial], **options: object) -> NetworkPosterior:
    settings = {"priors": MULTINMA, "draws": 8000, "rng": np.random.default_rng(20251)} | options
    found = posterior_of_counts(network, **settings)
    assert found.failures == ()
    return found


def test_smoking_is_gemtcs(smoking: Network[CountTrial]) -> None:
    """GeMTC's example/luades-smoking.summaries.txt: mean, SD and effective size."""
    found = posterior(smoking, priors=TSD)
    theirs = {
        "Self-help": (0.491411250749662, 0.402059818062437, 18760.1),
        "Individual counselling": (0.836279257213568, 0.239726571519915, 15993.1),
        "Group counselling": (1.10153637289963, 0.437678108219602, 17028.5),
    }
    for name, (mean, sd, ess) in theirs.items():
        draws = difference(found.effects, (0, SMOKING.index(name)))
        assert draws.mean() == pytest.approx(mean, abs=mean_error(draws, found.ess, sd, ess)), name
        assert draws.std() == pytest.approx(sd, abs=sd_error(draws, found.ess, ess)), name
    assert found.tau.mean() == pytest.approx(0.845257226765208, abs=mean_error(found.tau, found.ess, 0.1876, 11262.9))
    assert found.tau.std() == pytest.approx(0.187590797981963, abs=sd_error(found.tau, found.ess, 11262.9))


NODES = {
    # Printed by multinma 0.8's vignette of the smoking data: mean, SD, bulk ESS of direct, indirect, omega and tau.
    ("No intervention", "Group counselling"): ((1.07, 0.75, 3496), (1.17, 0.56, 1500), (-0.09, 0.91, 2383), 0.88),
    ("No intervention", "Individual counselling"): ((0.87, 0.24, 1917), (0.55, 0.63, 1385), (0.32, 0.65, 1541), 0.85),
    ("No intervention", "Self-help"): ((0.34, 0.55, 3074), (0.70, 0.61, 2235), (-0.36, 0.83, 2294), 0.88),
    ("Group counselling", "Individual counselling"): (
        (-0.10, 0.48, 3440),
        (-0.54, 0.61, 1684),
        (0.43, 0.68, 1826),
        0.87,
    ),
    ("Group counselling", "Self-help"): ((-0.62, 0.64, 3445), (-0.61, 0.67, 1852), (-0.01, 0.86, 1873), 0.87),
    ("Individual counselling", "Self-help"): ((0.07, 0.66, 3070), (-0.63, 0.52, 1740), (0.70, 0.82, 2261), 0.86),
}


@pytest.mark.parametrize("names", NODES)
def test_node_splits_of_smoking_are_multinmas(smoking: Network[CountTrial], names: tuple[str, str]) -> None:
    pair = (SMOKING.index(names[0]), SMOKING.index(names[1]))
    found = posterior(smoking, split=pair, draws=6000)
    indirect, omega = difference(found.effects, pair), found.effects[:, -1]
    direct, theirs_indirect, theirs_omega, tau = NODES[names]
    for draws, (mean, sd, ess) in (
        (indirect + omega, direct),
        (indirect, theirs_indirect),
        (omega, theirs_omega),
    ):
        # Printed with two decimals.
        assert draws.mean() == pytest.approx(mean, abs=0.005 + mean_error(draws, found.ess, sd, ess))
        assert draws.std() == pytest.approx(sd, abs=0.005 + sd_error(draws, found.ess, ess))
    assert found.tau.mean() == pytest.approx(tau, abs=0.005 + mean_error(found.tau, found.ess, 0.2, 981))


THROMBOLYTIC_EFFECTS = {
    # Printed by multinma 0.8's vignette of the thrombolytic data, common effects against SK: mean, SD, n_eff.
    "Acc t-PA": (-0.18, 0.04, 2879),
    "ASPAC": (0.02, 0.04, 5639),
    "PTCA": (-0.47, 0.10, 3600),
    "r-PA": (-0.12, 0.06, 3876),
    "SK + t-PA": (-0.05, 0.05, 6030),
    "t-PA": (0.00, 0.03, 4466),
    "TNK": (-0.17, 0.08, 3892),
    "UK": (-0.20, 0.21, 4850),
}
SPLIT = {
    # Pairs that multinma splits, with direct and indirect means and SDs of four of them.
    ("SK", "Acc t-PA"): ((-0.16, 0.05, 4335), (-0.25, 0.09, 884)),
    ("SK", "ASPAC"): ((0.01, 0.04, 4943), (0.42, 0.25, 2361)),
    ("Acc t-PA", "ASPAC"): ((1.40, 0.40, 3371), (0.16, 0.06, 2933)),
    ("ASPAC", "t-PA"): ((-0.02, 0.04, 4805), (0.03, 0.06, 3896)),
}


def test_thrombolytics_are_multinmas(published: Read) -> None:
    network = published("thrombolytics", THROMBOLYTICS)
    found = posterior(network, common=True)
    for name, (mean, sd, ess) in THROMBOLYTIC_EFFECTS.items():
        draws = difference(found.effects, (0, THROMBOLYTICS.index(name)))
        assert draws.mean() == pytest.approx(mean, abs=0.005 + mean_error(draws, found.ess, sd, ess)), name
        assert draws.std() == pytest.approx(sd, abs=0.005 + sd_error(draws, found.ess, ess)), name
    assert (found.tau == 0).all()


@pytest.mark.parametrize("names", SPLIT)
def test_node_splits_of_thrombolytics_are_multinmas(published: Read, names: tuple[str, str]) -> None:
    network = published("thrombolytics", THROMBOLYTICS)
    pair = (THROMBOLYTICS.index(names[0]), THROMBOLYTICS.index(names[1]))
    found = posterior(network, common=True, split=pair, draws=4000)
    indirect = difference(found.effects, pair)
    for draws, (mean, sd, ess) in zip((indirect + found.effects[:, -1], indirect), SPLIT[names], strict=True):
        assert draws.mean() == pytest.approx(mean, abs=0.005 + mean_error(draws, found.ess, sd, ess))
        assert draws.std() == pytest.approx(sd, abs=0.005 + sd_error(draws, found.ess, ess))


def test_maximum_likelihood_is_lme4s(smoking: Network[CountTrial]) -> None:
    path = Path(__file__).parents[1] / "reference" / "network_smoking_two_arms.json"
    theirs = json.loads(path.read_text(encoding="utf-8"))
    two = Network(smoking.treatments, tuple(trial for trial in smoking.trials if len(trial.treatments) == 2))
    found = estimate_counts(two)
    # lme4's optimiser stops within 1e-4 of the maximum: its deviance is flat there.
    assert found.tau == pytest.approx(theirs["tau"], abs=2e-4)
    for name, effect in zip(theirs["treatments"], theirs["effects"], strict=True):
        assert difference(found.effects, (0, SMOKING.index(name))) == pytest.approx(effect, abs=2e-4)


def test_likely_effects_given_the_baselines_are_independent_of_the_reference(smoking: Network[CountTrial]) -> None:
    order = (3, 1, 0, 2)
    trials = tuple(
        CountTrial(trial.name, tuple(order.index(t) for t in trial.treatments), trial.responders, trial.n)
        for trial in smoking.trials
    )
    other = Network(tuple(SMOKING[at] for at in order), trials)
    one, two = estimate_counts(smoking), estimate_counts(other)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    assert two.tau == pytest.approx(one.tau, abs=1e-4)
    assert difference(two.effects, (order.index(0), order.index(2))) == pytest.approx(
        difference(one.effects, (0, 2)), abs=1e-4
    )


@pytest.mark.parametrize("tau", [0.3, 1.5])
@pytest.mark.parametrize("arms", [2, 3])
def test_integrals_are_those_by_brute_force(tau: float, arms: int) -> None:
    """Over the baseline and the deviations of each arm, by SciPy's adaptive quadrature in another parametrisation."""
    responders, n, effects = np.array([3.0, 9.0, 0.0])[:arms], np.array([20.0, 25.0, 12.0])[:arms], (0.7, -0.4)
    trial = CountTrial("one", tuple(range(arms)), responders, n)
    network = Network(("a", "b", "c")[:arms], (trial,))
    (batch,) = batches_of(network.trials, design_of(network))
    base = (batch.design @ np.array(effects[: arms - 1]))[None]
    loading = np.concatenate([np.full((1, arms, 1), 3.0), tau * batch.spread[None]], axis=2)
    found = float(log_integrals(batch, base, loading, nodes=21)[0, 0])
    eta = np.array([0.0, *effects])[:arms]
    covariance = tau**2 * (np.eye(arms) - 1 / arms) / 2 + 9.0
    normal = stats.multivariate_normal(np.zeros(arms), covariance)

    def integrand(*x: float) -> float:
        logits = np.array(x)
        return float(np.exp(stats.binom.logpmf(responders, n, expit(eta + logits)).sum()) * normal.pdf(logits))

    if arms == 2:
        brute = integrate.dblquad(integrand, -12, 12, -12, 12, epsabs=1e-10)[0]
    else:
        # In the basis of baseline and deviations, on a fine lattice: the integrand is smooth, so that this converges
        # faster than any power of its step.
        u = np.linspace(-7.5, 7.5, 121)
        grid = np.stack(np.meshgrid(u, u, u, indexing="ij"), axis=-1).reshape(-1, 3)
        logits = grid @ loading[0].T + base[0, 0]
        likelihood = stats.binom.pmf(responders, n, expit(logits)).prod(axis=1)
        brute = float((likelihood * stats.norm.pdf(grid).prod(axis=1)).sum() * (u[1] - u[0]) ** 3)
    assert found == pytest.approx(np.log(brute), abs=1e-4)


def test_a_split_pair_without_inconsistency_has_the_combined_mode(published: Read) -> None:
    """Given no difference between direct and indirect evidence, node-splitting is the consistency model."""
    network = published("smoking", SMOKING)
    whole, split = design_of(network), design_of(network, (0, 2))
    for rows, with_split in zip(whole, split, strict=True):
        assert (with_split[:, :-1] == rows).all()
