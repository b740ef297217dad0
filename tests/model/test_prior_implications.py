"""What priors imply: against closed forms, against the numbers that the model files state, and in the README."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, ndtri

from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.model.prior_implications import COLUMNS, LIMITS, prior_implications
from alkbayes.spec.schema import Spec, model_names, model_path, models_folder, read_spec

README = models_folder() / "README.md"
MODELS = Path(__file__).parents[1] / "fixtures" / "models" / "good"
FACTOR = r"median odds ratio ([\d.]+), 95 % below ([\d.]+)"
DEVIATION = r"their SD: median ([\d.]+), 95 % below ([\d.]+)"
DISTRIBUTION_OF = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}
"""Each link is the quantile function of a distribution."""
KINDS = {
    "rate": r"95 % of the prior mass between (?:an ORR of )?(\d+) % and (\d+) %",
    "odds": r"an odds ratio against naive cohorts between 1/(\d+) and (\d+)",
    "cohorts": rf"cohorts of different trials: {FACTOR}",
    "units": FACTOR,
    "sd": DEVIATION,
    "rho": r"one cohort: median ([\d.]+), 95 % below ([\d.]+)",
    "rho_sd": r"the median, at an ORR of one half, is a logit SD of ([\d.]+) between cohorts",
}
"""Ways in which a `why` may state a number."""


@pytest.fixture(scope="module")
def tables(evidence_for: Callable[[Spec], Evidence]) -> dict[str, pd.DataFrame]:
    specs = (read_spec(model_path(name)) for name in model_names())
    return {spec.name: prior_implications(spec, evidence_for(spec)) for spec in specs}


def row(table: pd.DataFrame, of: str, scale: str, quantity: str | None = None) -> SimpleNamespace:
    chosen = table[(table["of"] == of) & (table["scale"] == scale)]
    if quantity:
        chosen = chosen[chosen["quantity"] == quantity]
    assert len(chosen) == 1, (of, scale, chosen)
    return SimpleNamespace(**chosen.iloc[0].to_dict())


# closed forms and a second account


def test_columns_keys_and_limits(tables: dict[str, pd.DataFrame]) -> None:
    for table in tables.values():
        assert tuple(table.columns) == COLUMNS
        assert not table.duplicated(["quantity", "of", "scale"]).any()
        assert not table.drop(columns="apart").isna().any().any()
        assert (table["low"] < table["median"]).all()
        assert (table["median"] < table["high"]).all()
        compared = table["quantity"].isin(["levels", "heterogeneity"])
        assert (table["apart"].notna() == compared).all()
        assert [(low, high) for low, high in zip(table["limit_low"], table["limit_high"], strict=True)] == [
            LIMITS[scale] for scale in table["scale"]
        ]


def test_rates_and_odds_ratios_of_normal_priors_are_the_closed_forms(tables: dict[str, pd.DataFrame]) -> None:
    line = tables["line"]
    for of, sd in (("line naive", 1.5), ("line pretreated", np.hypot(1.5, 1.0))):
        typical = row(line, of, "proportion", "typical")
        assert (typical.low, typical.high) == pytest.approx(expit(sd * ndtri([0.025, 0.975])), abs=0.002)
        assert typical.median == pytest.approx(0.5, abs=0.006)
        assert typical.outside == pytest.approx(2 * stats.norm.sf(np.log(99) / sd), abs=0.001)
    for of, sd in (("line pretreated vs naive", 1.0), ("line mixed vs pretreated", np.sqrt(2))):
        odds = row(line, of, "odds_ratio")
        assert (odds.low, odds.high) == pytest.approx(np.exp(sd * ndtri([0.025, 0.975])), rel=0.03)
        assert odds.apart == pytest.approx(np.exp(sd * ndtri(0.75)), rel=0.01)
        assert odds.outside == pytest.approx(2 * stats.norm.sf(np.log(10) / sd), abs=0.003)


def test_parameters_are_the_closed_forms(tables: dict[str, pd.DataFrame]) -> None:
    for model, of, prior in (
        ("agent", "sd_agent", stats.halfnorm(scale=0.25)),
        ("overall", "tau_trial", stats.halfnorm(scale=1.0)),
        ("overall", "tau_total", stats.rayleigh(scale=1.0)),
    ):
        sd = row(tables[model], of, "logit_sd")
        assert (sd.low, sd.median, sd.high) == pytest.approx(prior.ppf([0.025, 0.5, 0.975]), rel=0.03)
        assert sd.outside == pytest.approx(prior.sf(2.0), abs=0.003)
    rho = row(tables["beta-binomial"], "rho", "correlation")
    assert (rho.low, rho.median, rho.high) == pytest.approx(stats.beta(1, 15).ppf([0.025, 0.5, 0.975]), rel=0.05)


@pytest.mark.parametrize("model", ["line-generation", "robust", "beta-binomial", "line-by-generation", "overall"])
def test_next_cohort_and_differences_between_cohorts_agree_with_a_second_account(
    model: str, tables: dict[str, pd.DataFrame]
) -> None:
    rng, size = np.random.default_rng(5), 400_000
    spec, table = read_spec(model_path(model)), tables[model]
    mu = rng.normal(0, 1.5, size)
    if model != "overall":
        mu = mu + 0.5 * np.abs(rng.normal(size=size)) * np.sqrt(4 / 5) * rng.normal(size=size)
    if model == "line-by-generation":
        mu = mu + 0.25 * np.abs(rng.normal(size=size)) * np.sqrt(14 / 15) * rng.normal(size=size)
    one, other = mu, mu
    for term in spec.heterogeneity:
        tau = term.sd_prior.sd * np.abs(rng.normal(size=size))
        z = rng.standard_t(4, (2, size)) if term.distribution == "student_t" else rng.normal(size=(2, size))
        one, other = one + tau * z[0], other + tau * z[1]
    one, other = expit(one), expit(other)
    if model == "beta-binomial":
        scale = 1 / rng.beta(1, 15, size) - 1
        one, other = (
            rng.beta(np.maximum(p * scale, 1e-300), np.maximum((1 - p) * scale, 1e-300)) for p in (one, other)
        )
    base = "any" if model == "overall" else "line naive, generation first"
    following = row(table, base, "proportion", "next_cohort")
    assert (following.low, following.high) == pytest.approx(np.quantile(one, [0.025, 0.975]), abs=0.003)
    assert following.outside == pytest.approx(((one < 0.01) | (one > 0.99)).mean(), abs=0.002)
    apart = row(table, "another cohort of another trial", "risk_difference")
    assert (apart.low, apart.high) == pytest.approx(np.quantile(one - other, [0.025, 0.975]), abs=0.013)
    assert apart.apart == pytest.approx(np.median(np.abs(one - other)), abs=0.002)
    odds = row(table, "another cohort of another trial", "odds_ratio")
    one, other = (np.clip(p, 1e-16, 1 - 1e-16) for p in (one, other))
    ratio = np.exp(np.abs(np.log(one / (1 - one)) - np.log(other / (1 - other))))
    assert odds.apart == pytest.approx(np.median(ratio), rel=0.01)


def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    spec = read_spec(model_path("line"))
    evidence = read_evidence(needed=spec.columns)
    first, again, other = (prior_implications(spec, evidence, draws=1500, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not np.isclose(first["median"], other["median"], rtol=1e-9).any()


def test_counts_are_not_read() -> None:
    spec = read_spec(model_path("line-generation"))
    evidence = read_evidence(needed=spec.columns)
    swapped = replace(evidence, frame=evidence.frame.assign(responders=0, n=1))
    pd.testing.assert_frame_equal(
        prior_implications(spec, evidence, draws=500), prior_implications(spec, swapped, draws=500)
    )


def test_a_table_without_the_reference_and_one_with_a_single_level() -> None:
    spec = read_spec(model_path("line-by-generation"))
    evidence = read_evidence(needed=spec.columns)
    frame = evidence.frame
    later = prior_implications(spec, replace(evidence, frame=frame[frame["line"] != "naive"]), draws=5000)
    assert later["of"].tolist()[:4] == [
        "line naive, average generation",
        "line pretreated, generation first",
        "line mixed, generation first",
        "line pretreated, generation first",
    ]
    alone = prior_implications(spec, replace(evidence, frame=frame[frame["regimen_class"] == "second"]), draws=5000)
    assert not alone["of"].str.contains("generation").any()


# links


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_other_links_imply_what_a_second_account_says(link: str, tables: dict[str, pd.DataFrame]) -> None:
    table, prior = tables[link], read_spec(model_path(link)).intercept.prior
    typical = row(table, "line naive, average generation", "proportion", "typical")
    ends = DISTRIBUTION_OF[link].cdf(prior.mean + prior.sd * ndtri([0.025, 0.5, 0.975]))
    assert (typical.low, typical.median, typical.high) == pytest.approx(ends, abs=0.004)
    tau = row(table, "tau_trial", f"{link}_sd")
    half_normal = stats.halfnorm(scale=read_spec(model_path(link)).heterogeneity[0].sd_prior.sd)
    assert (tau.low, tau.median, tau.high) == pytest.approx(half_normal.ppf([0.025, 0.5, 0.975]), rel=0.03)


# what the model files state


def stated(spec: Spec) -> Iterator[tuple[str, object, str]]:
    """Yield (where, part, why) of each `why` of a model."""
    yield "intercept", spec.intercept, spec.intercept.why
    for place, effect in enumerate(spec.effect):
        yield f"effect[{place}]", effect, effect.why
    for place, term in enumerate(spec.heterogeneity):
        yield f"heterogeneity[{place}]", term, term.why
    if spec.likelihood.family == "beta_binomial":
        yield "likelihood", spec.likelihood, spec.likelihood.why


def halves(draws: np.ndarray) -> list[float]:
    return np.quantile(draws, [0.5, 0.95]).tolist()


def true_numbers(kind: str, part: object, spec: Spec) -> list[float]:
    """Return what the numbers of a statement should be, before rounding."""
    rng, size = np.random.default_rng(11), 1_000_000
    pair = np.sqrt(2) * np.abs(rng.normal(size=size))  # two standard normals, how far apart
    match kind:
        case "rate":
            ends = part.prior.mean + part.prior.sd * ndtri([0.025, 0.975])
            return (100 * DISTRIBUTION_OF[spec.likelihood.link].cdf(ends)).tolist()
        case "odds":
            low, high = np.exp(part.prior.mean + part.prior.sd * ndtri([0.025, 0.975]))
            return [1 / low, high]
        case "units":
            return halves(np.exp(part.sd_prior.draw(rng, (size,)) * pair))
        case "cohorts":
            logits = np.zeros((2, size))
            for term in spec.heterogeneity:
                student = term.distribution == "student_t"
                z = rng.standard_t(term.nu, (2, size)) if student else rng.normal(size=(2, size))
                logits += term.sd_prior.draw(rng, (size,)) * z
            return halves(np.exp(np.abs(logits[0] - logits[1])))
        case "sd":
            return halves(part.sd_prior.draw(rng, (size,)))
        case "rho":
            return stats.beta(part.rho_prior.a, part.rho_prior.b).ppf([0.5, 0.95]).tolist()
    rho = stats.beta(part.rho_prior.a, part.rho_prior.b).ppf(0.5)
    rates = rng.beta(0.5 * (1 / rho - 1), 0.5 * (1 / rho - 1), size)
    return [float(np.log(rates / (1 - rates)).std())]


@pytest.mark.parametrize(
    # That of medians is on another scale; tests/spec/test_medians.py has its numbers.
    "path",
    [*map(model_path, model_names()), MODELS / "region.toml"],
    ids=lambda p: p.stem,
)
def test_every_number_in_a_why_is_right(path: Path) -> None:
    spec = read_spec(path)
    for where, part, why in stated(spec):
        rest = why
        for kind, pattern in KINDS.items():
            for match in re.finditer(pattern, rest):
                for said, true in zip(match.groups(), true_numbers(kind, part, spec), strict=True):
                    digits = len(said.partition(".")[2])
                    assert abs(float(said) - true) <= 0.55 * 10**-digits, (path.name, where, match[0], true)
            rest = re.sub(pattern, "", rest)
        assert not re.search(r"\d", rest), f"{path.name}, {where}: no test knows the number in {rest!r}"


# the README of the models


def interval(of: SimpleNamespace) -> str:
    if of.scale == "proportion":
        return f"{100 * of.low:.0f}–{100 * of.high:.0f}"
    if of.scale == "risk_difference":
        return f"{100 * of.low:+.0f} to {100 * of.high:+.0f}".replace("-", "−")
    return f"{of.low:.2f}–{of.high:.2f}" if of.high < 3 else f"{of.low:.2f}–{of.high:.1f}"


def middle(of: SimpleNamespace) -> str:
    if of.scale == "proportion":
        return f"{100 * of.median:.0f}"
    if of.scale == "risk_difference":
        return f"{100 * of.apart:.0f} apart"
    return f"{of.apart:.1f} times" if of.scale == "odds_ratio" else f"{of.median:.2f}"


def overview(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Return the README's table of all models."""
    heading = (
        "| model | typical ORR % | next cohort's ORR % | … outside 1–99 % | pretreated and naive | two generations "
        "| two cohorts of two trials | tau in all |"
    )
    lines = [heading, "|---|---|---|---|---|---|---|---|"]
    for name, table in tables.items():
        rows = [SimpleNamespace(**record) for record in table.to_dict("records")]

        def first(rows: list[SimpleNamespace], quantity: str, scale: str, of: str = "") -> SimpleNamespace | None:
            chosen = (row for row in rows if row.quantity == quantity and row.scale == scale and row.of.startswith(of))
            return next(chosen, None)

        following = first(rows, "next_cohort", "proportion")
        sds = {row.of: row for row in rows if row.quantity == "parameter"}
        total = sds.get("tau_total", sds.get("tau_trial"))
        compared = [
            first(rows, "levels", "risk_difference", "line pretreated vs naive"),
            first(rows, "levels", "risk_difference", "generation "),
            first(rows, "heterogeneity", "risk_difference", "another cohort of another trial"),
        ]
        cells = [
            f"`{name}`",
            interval(first(rows, "typical", "proportion")),
            interval(following),
            f"{100 * following.outside:.1f} %",
            *("" if of is None else interval(of) for of in compared),
            f"{middle(total)} ({interval(total)})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def in_full(table: pd.DataFrame) -> list[str]:
    """Return the README's table of one model."""
    words = {
        "typical": "typical ORR %",
        "next_cohort": "next cohort's ORR %",
        "levels": "typical ORR",
        "heterogeneity": "ORR",
        "parameter": "logit sd",
    }
    units = {"risk_difference": ", percentage points", "odds_ratio": ", odds ratio"}
    lines = ["| quantity | of | in the middle | central 95 % | beyond | share beyond |", "|---|---|---|---|---|---|"]
    for record in table.to_dict("records"):
        of = SimpleNamespace(**record)
        limits = {
            "proportion": "1–99",
            "risk_difference": "±50",
            "odds_ratio": "1/10–10",
            "logit_sd": "2",
        }[of.scale]
        cells = (
            words[of.quantity] + units.get(of.scale, ""),
            of.of,
            middle(of),
            interval(of),
            limits,
            f"{100 * of.outside:.1f} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def test_the_readme_has_the_implications_of_the_models_as_they_are(tables: dict[str, pd.DataFrame]) -> None:
    text = README.read_text(encoding="utf-8")
    for lines in (overview(tables), in_full(tables["line-generation"])):
        block = "\n".join(lines)
        assert block in text, f"models/README.md should have this table:\n\n{block}\n"


def test_the_readme_names_each_model_with_its_question() -> None:
    text = README.read_text(encoding="utf-8")
    for name in model_names():
        assert f"| `{name}` | {read_spec(model_path(name)).question} |" in text
