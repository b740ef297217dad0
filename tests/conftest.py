"""What the tests of the Bayesian part share: small tables, model declarations, and an oracle that knows nothing of it.

The oracle, :func:`log_joint`, is a plain non-centred model written from the model file and the table alone, with
SciPy's distributions and level names for indices.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from scipy import stats

from alkbayes.estimates.rates import Posterior, posterior_of
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.settings import SamplerSettings
from alkbayes.model.design import Design, build_design, parameters
from alkbayes.model.draws import Draws, complete, from_unconstrained
from alkbayes.spec.schema import Spec, model_names, model_path, parse_spec, read_spec
from alkbayes.vocabulary import INTERVAL_PROB, Standard

# How long an example takes is a matter of what else the machine does.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")

HALF_NORMAL = {"dist": "half_normal", "sd": 0.5}
FIXED_LINE = {
    "column": "line",
    "kind": "fixed",
    "reference": "naive",
    "prior": {"dist": "normal", "mean": 0.0, "sd": 1.0},
}
GENERATION = {"column": "regimen_class", "kind": "exchangeable", "sd_prior": HALF_NORMAL}
INTERACTION = {"column": ["line", "regimen_class"], "kind": "exchangeable", "sd_prior": HALF_NORMAL}
AGE = {
    "column": "age",
    "kind": "numeric",
    "centre": 60.0,
    "scale": 10.0,
    "step": "per 10 years",
    "prior": {"dist": "normal", "mean": 0.1, "sd": 0.5},
}
CROSSED = {"kind": "interaction", "prior": {"dist": "student_t", "nu": 4.0, "mean": -0.1, "sd": 0.4}}
FIXED_GENERATION = FIXED_LINE | {"column": "regimen_class", "reference": "second"}
TRIAL = {"column": "trial", "distribution": "normal", "sd_prior": HALF_NORMAL}
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": HALF_NORMAL}
STUDENT = {"distribution": "student_t", "nu": 3.5}

VARIANTS: dict[str, dict[str, Any]] = {
    "no-heterogeneity": {"effect": [FIXED_LINE, GENERATION]},
    "group-only": {"effect": [FIXED_LINE], "heterogeneity": [TRIAL]},
    "cohort-only": {"effect": [GENERATION], "heterogeneity": [COHORT]},
    "student-t-group": {"effect": [FIXED_LINE], "heterogeneity": [TRIAL | STUDENT, COHORT]},
    "student-t-both": {"heterogeneity": [COHORT | STUDENT, TRIAL | STUDENT]},
    "half-student-t": {
        "effect": [GENERATION | {"sd_prior": {"dist": "half_student_t", "nu": 2.5, "sd": 0.8}}],
        "heterogeneity": [TRIAL | {"sd_prior": {"dist": "half_student_t", "nu": 1.0, "sd": 0.3}}, COHORT],
    },
    "exponential": {
        "effect": [GENERATION | {"sd_prior": {"dist": "exponential", "mean": 0.4}}],
        "heterogeneity": [TRIAL | {"sd_prior": {"dist": "exponential", "mean": 1.3}}, COHORT],
    },
    "student-t-locations": {
        "intercept": {"prior": {"dist": "student_t", "nu": 3.0, "mean": -0.5, "sd": 1.2}},
        "effect": [FIXED_LINE | {"prior": {"dist": "student_t", "nu": 5.0, "mean": 0.3, "sd": 0.7}}],
        "heterogeneity": [COHORT, TRIAL],
    },
    "interaction": {"effect": [FIXED_LINE, GENERATION, INTERACTION], "heterogeneity": [TRIAL, COHORT]},
    "number": {"effect": [AGE, GENERATION], "heterogeneity": [TRIAL, COHORT]},
    "number-by-level": {
        "effect": [CROSSED | {"column": ["age", "line"]}, FIXED_LINE, AGE],
        "heterogeneity": [COHORT],
    },
    "levels-by-levels": {
        "effect": [FIXED_LINE, FIXED_GENERATION, CROSSED | {"column": ["line", "regimen_class"]}],
        "heterogeneity": [TRIAL | STUDENT, COHORT],
    },
    "number-by-number": {
        "likelihood": {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.0, "b": 4.0}},
        "effect": [
            AGE,
            AGE | {"column": "year", "centre": 2010.0, "scale": 5.0},
            CROSSED | {"column": ["year", "age"]},
        ],
    },
    "by-level": {
        "effect": [FIXED_LINE],
        "heterogeneity": [
            TRIAL | {"by": "region", "spread_prior": {"dist": "exponential", "mean": 0.6}},
            COHORT | {"by": "line", "spread_prior": HALF_NORMAL},
        ],
    },
    "cohorts-by-level": {"heterogeneity": [COHORT | {"by": "regimen_class", "spread_prior": HALF_NORMAL}]},
    "student-t-by-level": {
        "effect": [GENERATION],
        "heterogeneity": [TRIAL | STUDENT | {"by": "region", "spread_prior": HALF_NORMAL}, COHORT],
    },
    "beta-binomial-alone": {
        "likelihood": {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.5, "b": 7.0}},
    },
    "beta-binomial-trials": {
        "likelihood": {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.0, "b": 4.0}},
        "effect": [FIXED_LINE],
        "heterogeneity": [TRIAL],
    },
}
"""What the bundled models have not: each is a model file's parts that differ from a plain binomial."""

COHORTS = """
a1 A naive first 30 21
a2 A pretreated second 12 0
b1 B naive first 44 44
b2 B mixed second 8 3
c1 C pretreated third 61 18
d1 D naive third 1 1
d2 D pretreated first 150 60
d3 D pretreated third 25 9
e1 E mixed second 5 2
f1 F pretreated second 33 20
"""

NUMBERS = {
    "age": ["52", "61.5", "60", "70.0", "45", "58", "66", "49.25", "63", "61.5"],
    "year": ["2004", "2009", "2011", "2015", "2015", "1998", "2020", "2021", "2007", "2012"],
    "region": ["asia", "asia", "europe", "europe", "asia", "us", "us", "us", "asia", "europe"],
}
"""Further columns of that table."""

OWN = """\
cohort_id,trial,line,regimen_class,responders,n
a-naive,A,naive,first,31,44
a-treated,A,pretreated,first,12,30
b,B,naive,second,52,65
c-naive,C,naive,second,20,24
c-treated,C,pretreated,second,33,70
d,D,pretreated,second,9,33
e,E,pretreated,first,18,40
f,F,naive,first,28,37
"""
"""The table whose models are compiled for NUTS: code that is kept serves every test of one model on it."""

BRAIN = """\
cohort_id,trial,line,regimen_class,responders,n,ic_responders,ic_n,ic_assessor
a1,A,naive,first,31,44,3,9,irc
a2,A,naive,second,35,45,8,10,irc
b1,B,pretreated,first,12,30,,,
c1,C,pretreated,second,33,70,9,21,irc
c2,C,pretreated,second,9,33,0,0,
d1,D,pretreated,third,18,40,7,12,investigator
e1,E,naive,third,28,37,6,8,irc
f1,F,pretreated,second,40,66,5,14,irc
"""
"""A table of which some cohorts have intracranial counts."""


@pytest.fixture(scope="session")
def own_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def brain_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brain") / "brain.csv"
    path.write_text(BRAIN, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fewer_draws() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """While it lasts, fits whose draws no option says make 1,000 and not 4,000: still enough for the gate."""

    @contextlib.contextmanager
    def lasting() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module in (
                "analyses.intracranial",
                "analyses.resistance",
                "inference.fit",
                "sensitivity_analysis.refit",
            ):
                patch.setattr(f"alkbayes.{module}.SamplerSettings", partial(SamplerSettings, draws=250))
            yield

    return lasting


def make_spec(**parts: Any) -> Spec:
    """Return a checked model file; `parts` replace those of a binomial model with nothing but an intercept."""
    data: dict[str, Any] = copy.deepcopy(
        {
            "schema": 1,
            "name": "made-up",
            "question": "?",
            "likelihood": {"family": "binomial"},
            "intercept": {"prior": {"dist": "normal", "mean": 0.0, "sd": 1.5}},
        }
        | parts
    )
    data["likelihood"] = {"link": "logit"} | data["likelihood"]
    for part in [data["intercept"], *data.get("effect", []), *data.get("heterogeneity", [])]:
        part.setdefault("why", "a test")
    if data["likelihood"]["family"] == "beta_binomial":
        data["likelihood"].setdefault("why", "a test")
    return parse_spec(data, source="made up")


def make_evidence(text: str = COHORTS, **columns: list[str]) -> Evidence:
    """Return a table from lines of cohort, trial, line, generation, n and responders, and further `columns`."""
    frame = pd.DataFrame(
        [row.split() for row in text.strip().splitlines()],
        columns=["cohort_id", "trial", "line", "regimen_class", "n", "responders"],
    )
    frame = frame.astype({"n": np.int64, "responders": np.int64}).assign(**columns)
    return Evidence(frame=frame, source="made up", sha256="", content=b"")


@dataclass(frozen=True)
class Case:
    """A model and a table."""

    name: str
    spec: Spec
    evidence: Evidence
    design: Design

    @property
    def size(self) -> int:
        return sum(parameter.size for parameter in parameters(self.design))

    def points(self, count: int, *, scale: float = 1.0, seed: int = 1) -> np.ndarray:
        """Return random points on the sampler's scale, shape (1, count, parameter)."""
        return np.random.default_rng(seed).normal(0.0, scale, (1, count, self.size))


OUTCOMES = Path(__file__).parent / "fixtures" / "outcomes"
OF_OTHER_TABLES = ("complete-response", "discontinuation", "grade3-adverse-events", "serious-adverse-events")
"""Bundled models of counts that the bundled table has not."""


def read_for(spec: Spec) -> Evidence:
    """Return the bundled table for a model, or a made-up one for a model of other counts."""
    path = OUTCOMES / "adverse-events.csv" if spec.name in OF_OTHER_TABLES else None
    return read_evidence(path, needed=spec.columns, outcome=spec.outcome)


@pytest.fixture(scope="session")
def evidence_for() -> Callable[[Spec], Evidence]:
    return read_for


def make_case(name: str) -> Case:
    if name in VARIANTS:
        spec, evidence = make_spec(**VARIANTS[name]), make_evidence(**NUMBERS)
    else:
        spec = read_spec(model_path(name))
        evidence = read_for(spec)
    return Case(name, spec, evidence, build_design(spec, evidence))


CASES = (*model_names(), *VARIANTS)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Every bundled model on the bundled table, and every variant on a small nasty one."""
    return make_case(request.param)


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], Case]:
    return make_case


@pytest.fixture(scope="session")
def spec_of() -> Callable[..., Spec]:
    return make_spec


@pytest.fixture(scope="session")
def table_of() -> Callable[..., Evidence]:
    return make_evidence


def frozen(prior: Any) -> Any:
    """Return SciPy's distribution of a prior."""
    match prior.dist:
        case "normal":
            return stats.norm(prior.mean, prior.sd)
        case "student_t":
            return stats.t(prior.nu, prior.mean, prior.sd)
        case "half_normal":
            return stats.halfnorm(scale=prior.sd)
        case "half_student_t":
            return _FoldedT(prior.nu, prior.sd)
        case "exponential":
            return stats.expon(scale=prior.mean)
        case "beta":
            return stats.beta(prior.a, prior.b)
    raise AssertionError(prior)


class _FoldedT:
    """The half Student t, which SciPy has not."""

    def __init__(self, nu: float, sd: float) -> None:
        self._t = stats.t(nu, 0.0, sd)

    def logpdf(self, x: Any) -> Any:
        return np.log(2.0) + self._t.logpdf(x)

    def cdf(self, x: Any) -> Any:
        return 2 * self._t.cdf(x) - 1

    def ppf(self, q: Any) -> Any:
        return self._t.ppf((1 + np.asarray(q)) / 2)


@pytest.fixture(scope="session")
def scipy_of() -> Callable[[Any], Any]:
    return frozen


def named(design: Design, draws: Mapping[str, np.ndarray], chain: int, draw: int) -> dict[str, Any]:
    """Return one draw with the names of its entries: name -> value, or name -> {entry: value}."""
    entries = {parameter.name: parameter.coords for parameter in parameters(design)}
    entries |= {f"effect_{block.slug}": block.levels for block in design.effects}
    entries |= {term.of_level: term.by.levels for term in design.heterogeneity if term.by is not None}
    return {
        name: float(values[chain, draw])
        if entries.get(name) is None
        else dict(zip(entries[name], values[chain, draw].tolist(), strict=True))
        for name, values in draws.items()
        if name in entries
    }


def multipliers(spec: Spec, frame: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return what each coefficient of a number, or of an interaction of unpooled effects, is multiplied with."""
    found = {"": np.ones(len(frame))}
    for column in columns:
        effect = next(effect for effect in spec.effect if effect.column == column)
        if effect.kind == "numeric":
            own = {effect.step: (frame[column].astype(float).to_numpy() - effect.centre) / effect.scale}
        else:
            levels = sorted(set(frame[column]) - {effect.reference})
            own = {level: (frame[column] == level).to_numpy(dtype=float) for level in levels}
        found = {f"{one}:{two}".lstrip(":"): found[one] * own[two] for one in found for two in own}
    return found


DISTRIBUTION_OF = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}
"""Each link is the quantile function of a distribution."""


def log_joint(spec: Spec, frame: pd.DataFrame, draw: Mapping[str, Any]) -> float:
    """Return the log of likelihood times priors at one draw, by the words of the model file."""
    labels = {"regimen_class": "generation", "prior_alk_tki": "prior_tki", "cohort_id": "cohort"}
    theta = np.full(len(frame), draw["alpha"])
    total = float(frozen(spec.intercept.prior).logpdf(draw["alpha"]))
    for effect in spec.effect:
        slug = "_".join(labels.get(column, column) for column in effect.columns)
        level = frame[list(effect.columns)].agg(":".join, axis=1)
        if effect.kind in {"numeric", "interaction"}:
            coefficients = draw[f"beta_{slug}"]
            total += sum(frozen(effect.prior).logpdf(value) for value in coefficients.values())
            terms = multipliers(spec, frame, effect.columns)
            assert coefficients.keys() == terms.keys()
            theta = theta + sum(value * terms[name] for name, value in coefficients.items())
            continue
        if effect.kind == "fixed":
            values = draw[f"beta_{slug}"] | {effect.reference: 0.0}
            total += sum(frozen(effect.prior).logpdf(value) for value in draw[f"beta_{slug}"].values())
        else:
            values, sd = draw[f"effect_{slug}"], draw[f"sd_{slug}"]
            raw = np.array(list(draw[f"raw_{slug}"].values()))
            total += frozen(effect.sd_prior).logpdf(sd) + stats.norm.logpdf(raw).sum()
            # Effects of a zero-sum normal: an orthonormal map of the standard normals, times sd.
            assert sum(values.values()) == pytest.approx(0.0, abs=1e-9 * (1 + sd))
            assert sum(np.square(list(values.values()))) == pytest.approx(sd**2 * (raw**2).sum(), rel=1e-9)
        theta = theta + level.map(values).to_numpy()
    for term in spec.heterogeneity:
        label = labels.get(term.column, term.column)
        tau, z = draw[f"tau_{label}"], draw[f"z_{label}"]
        unit = stats.norm() if term.distribution == "normal" else stats.t(term.nu)
        total += frozen(term.sd_prior).logpdf(tau) + unit.logpdf(list(z.values())).sum()
        if term.by is not None:
            by, spread = labels.get(term.by, term.by), draw[f"spread_{label}"]
            taus, raw = draw[f"tau_{label}_by_{by}"], np.array(list(draw[f"raw_tau_{label}"].values()))
            total += frozen(term.spread_prior).logpdf(spread) + stats.norm.logpdf(raw).sum()
            # Logs of the taus: a zero-sum normal about that of tau.
            logs = np.log(list(taus.values())) - np.log(tau)
            assert logs.sum() == pytest.approx(0.0, abs=1e-9 * (1 + spread))
            assert (logs**2).sum() == pytest.approx(spread**2 * (raw**2).sum(), rel=1e-7, abs=1e-12)
            tau = frame[term.by].map(taus).to_numpy()
        theta = theta + tau * frame[term.column].map(z).to_numpy()
    n, y = frame["n"].to_numpy(), frame["responders"].to_numpy()
    p = DISTRIBUTION_OF[spec.likelihood.link].cdf(theta)
    if spec.likelihood.family == "binomial":
        return total + stats.binom.logpmf(y, n, p).sum()
    rho = draw["rho"]
    total += frozen(spec.likelihood.rho_prior).logpdf(rho)
    return total + stats.betabinom.logpmf(y, n, p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho).sum()


def log_jacobian(design: Design, position: np.ndarray) -> float:
    """Return log |d parameters / d position| at one position, by central differences."""
    step = 1e-5
    nudged = np.concatenate([position + step * np.eye(len(position)), position - step * np.eye(len(position))])
    free = flat(design, from_unconstrained(design, nudged[None]))[0]
    up, down = np.split(free, 2)
    sign, value = np.linalg.slogdet((up - down) / (2 * step))
    assert sign == 1.0
    return float(value)


def flat(design: Design, draws: Draws) -> np.ndarray:
    """Return the free parameters in one axis, shape (chain, draw, parameter)."""
    return np.concatenate(
        [
            draws[parameter.name][..., None] if parameter.coords is None else draws[parameter.name]
            for parameter in parameters(design)
        ],
        axis=-1,
    )


@pytest.fixture(scope="session")
def oracle_log_density() -> Callable[[Case, np.ndarray], float]:
    """The log density on the sampler's scale: the oracle's joint, and the Jacobian of what results are made of."""

    def at(case: Case, position: np.ndarray) -> float:
        draws = from_unconstrained(case.design, position[None, None])
        joint = log_joint(case.spec, case.evidence.frame, named(case.design, draws, 0, 0))
        return joint + log_jacobian(case.design, position)

    return at


@pytest.fixture(scope="session")
def posterior_from() -> Callable[..., Posterior]:
    """Maker of what estimates read, from free parameters with axes (chain, draw, ...)."""

    def make(
        design: Design, free: Mapping[str, np.ndarray], *, seed: int = 1, standard: Standard = Standard.OWN
    ) -> Posterior:
        fit = SimpleNamespace(
            design=design,
            draws=complete(design, {name: np.asarray(values, dtype=float) for name, values in free.items()}),
            provenance=SimpleNamespace(settings=SamplerSettings(seed=seed)),
            standard=standard,
            interval_prob=INTERVAL_PROB,
        )
        return posterior_of(fit)

    return make
