"""Rates by prior ALK TKI and generation."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from alkbayes.analyses.sequence import comparison_table, option_table, sequence_table, sequencing_of
from alkbayes.errors import UsageError
from alkbayes.estimates.rates import pooled_table
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.design import build_design
from alkbayes.spec.schema import model_path, read_spec


@pytest.fixture(scope="module")
def posterior(posterior_from):
    """Draws of no meaning, from the prior of the bundled model `sequence`."""
    from alkbayes.model.draws import from_prior

    spec = read_spec(model_path("sequence"))
    design = build_design(spec, read_evidence(needed=spec.columns))
    draws = from_prior(design, rng=np.random.default_rng(2), draws=60)
    free = {name: values for name, values in draws.items() if not name.startswith("effect_")}
    return posterior_from(design, {name: values for name, values in free.items() if name not in {"theta", "p"}})


@pytest.fixture(scope="module")
def frame():
    return read_evidence().frame


def of(table, **cell):
    """Return the one row of a table that has these values."""
    chosen = table
    for name, value in cell.items():
        chosen = chosen[chosen[name] == value]
    (row,) = chosen.to_dict(orient="records")
    return row


def level_effects(posterior, line: str, earlier: str, generation: str) -> np.ndarray:
    """Return the linear predictor of a profile by hand: alpha and the four effects, shape (draw,)."""
    draws = posterior.draws
    levels = {block.label: block.levels for block in posterior.design.effects}
    beta = 0.0 if line == "naive" else draws["beta_line"][:, levels["line"].index(line) - 1]
    return (
        draws["alpha"]
        + beta
        + draws["effect_prior_tki"][:, levels["prior_tki"].index(earlier)]
        + draws["effect_generation"][:, levels["generation"].index(generation)]
        + draws["effect_prior_tki_generation"][:, levels["prior_tki:generation"].index(f"{earlier}:{generation}")]
    )


def line_shares(frame, members) -> dict[str, float]:
    return (frame[members].groupby("line")["n"].sum() / frame.loc[members, "n"].sum()).to_dict()


def by_hand(posterior, shares: dict[str, float], earlier: str, generation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the typical logit and the mean rate of a cell, each (draw,), the normal summed over a dense grid."""
    tau = np.hypot(posterior.draws["tau_trial"], posterior.draws["tau_cohort"])
    logit, mean = np.zeros(len(tau)), np.zeros(len(tau))
    for line, share in shares.items():
        eta = level_effects(posterior, line, earlier, generation)
        logit += share * eta
        mean += share * average(eta, tau)
    return logit, mean


def test_cells_with_cohorts_are_those_of_the_pooled_table(posterior, frame) -> None:
    table = sequence_table(posterior, frame)
    pooled = pooled_table(posterior)
    cells = pooled[pooled["group"] == "prior_tki:generation"].set_index(["level", "estimand"])
    seen = table[table["observed"]]
    assert len(seen) == 3 * 15
    for row in seen.to_dict(orient="records"):
        cell = cells.loc[(f"{row['earlier']}:{row['generation']}", row["estimand"])]
        for name in ("k", "patients", "responders", "weights"):
            assert row[name] == cell[name], name
        for name in ("median", "low", "high"):
            assert row[name] == pytest.approx(cell[name]), name


def test_a_cell_without_cohorts_is_the_models_prediction(posterior, frame) -> None:
    """By hand, draw by draw: alpha and the four effects, over the lines of the row's patients."""
    table = sequence_table(posterior, frame)
    row = of(table, earlier="none", generation="experimental", estimand="mean")
    assert not row["observed"]
    assert row["k"] == row["patients"] == 0
    shares = line_shares(frame, frame["prior_alk_tki"] == "none")
    assert set(shares) == {"naive", "pretreated", "mixed"}
    logit, mean = by_hand(posterior, shares, "none", "experimental")
    for name, value in (("mean", mean.mean()), ("median", np.median(mean)), ("low", np.quantile(mean, 0.025))):
        assert row[name] == pytest.approx(value, rel=1e-6), name
    typical = of(table, earlier="none", generation="experimental", estimand="typical")
    assert typical["high"] == pytest.approx(np.quantile(expit(logit), 0.975), rel=1e-9)


def test_the_next_cohort_is_drawn_about_the_cell(posterior, frame) -> None:
    """Brute force: a hundred cohorts of each draw, each with a line, a trial and a deviation of its own."""
    rng = np.random.default_rng(5)
    shares = line_shares(frame, frame["prior_alk_tki"] == "none")
    tau = np.hypot(posterior.draws["tau_trial"], posterior.draws["tau_cohort"])
    eta = np.stack([level_effects(posterior, line, "none", "experimental") for line in shares])
    line = rng.choice(len(shares), p=list(shares.values()), size=(100, len(tau)))
    rates = expit(np.take_along_axis(eta, line, axis=0) + tau * rng.normal(size=line.shape))
    row = of(sequence_table(posterior, frame), earlier="none", generation="experimental", estimand="next_cohort")
    # 60 draws with 16 cohorts each, stratified, against 100: both miss their ends by a percentage point or two.
    for name, value in (("median", 0.5), ("low", 0.025), ("high", 0.975)):
        assert row[name] == pytest.approx(np.quantile(rates, value), abs=0.03), name


@pytest.mark.parametrize(("option", "against"), [("third", "second"), ("experimental", "first")])
def test_options_are_compared_over_the_same_patients(posterior, frame, option: str, against: str) -> None:
    """P(better), differences and odds ratios against those of the draws by hand, over the lines of the row."""
    table = comparison_table(posterior, frame, after="none")
    shares = line_shares(frame, frame["prior_alk_tki"] == "none")
    (one_logit, one), (other_logit, other) = (by_hand(posterior, shares, "none", each) for each in (option, against))
    row = of(table, contrast=f"{option} vs {against}", scale="risk_difference")
    assert row["observed"] == (option == "third")
    assert row["prob_better"] == np.mean(one > other)
    assert row["mean"] == pytest.approx((one - other).mean(), abs=1e-6)
    assert row["low"] == pytest.approx(np.quantile(one - other, 0.025), abs=1e-6)
    ratio = of(table, contrast=f"{option} vs {against}", scale="odds_ratio")
    assert ratio["prob_better"] == np.mean(one_logit > other_logit)
    for name, value in (("median", 0.5), ("low", 0.025), ("high", 0.975)):
        assert ratio[name] == pytest.approx(np.quantile(np.exp(one_logit - other_logit), value), rel=1e-9), name


def test_every_pair_is_there_once(posterior, frame) -> None:
    table = comparison_table(posterior, frame)
    assert len(table) == 5 * 10 * 2
    assert not table.duplicated(["earlier", "contrast", "scale"]).any()
    assert (table["observed"] == ((table["k"] > 0) & (table["k_against"] > 0))).all()


def test_only_options_with_cohorts_are_ranked(posterior, frame) -> None:
    table = option_table(posterior, frame)
    assert (table["prob_best"].notna() == table["observed"]).all()
    shares = line_shares(frame, frame["prior_alk_tki"] == "none")
    ranked = ["first", "second", "third", "combination"]
    rates = np.column_stack([by_hand(posterior, shares, "none", each)[1] for each in ranked])
    ranks = np.array([stats.rankdata(-draw) for draw in rates])
    for place, generation in enumerate(ranked):
        row = of(table, earlier="none", generation=generation)
        assert row["prob_best"] == np.mean(rates.argmax(axis=1) == place)
        assert row["mean_rank"] == pytest.approx(ranks[:, place].mean())
        assert row["rank_low"] <= row["mean_rank"] <= row["rank_high"]
        assert row["median"] == pytest.approx(np.median(rates[:, place]), rel=1e-6)
    assert table.loc[table["observed"]].groupby("earlier")["prob_best"].sum().to_numpy() == pytest.approx(1.0)


def average(eta: np.ndarray, tau: np.ndarray) -> np.ndarray:
    z = np.linspace(-9, 9, 361)
    return expit(eta[:, None] + tau[:, None] * z) @ (stats.norm.pdf(z) * (z[1] - z[0]))


def test_another_model_is_refused(case_of, frame) -> None:
    case = case_of("line-generation")
    with pytest.raises(UsageError, match="no effect of prior_alk_tki"):
        sequence_table(SimpleNamespace(design=case.design), frame)
    with pytest.raises(UsageError, match="no effect of prior_alk_tki"):
        sequence_table(SimpleNamespace(design=case.design), frame.drop(columns="prior_alk_tki"))


def test_a_prior_inhibitor_that_is_not_there_is_refused(posterior, frame) -> None:
    with pytest.raises(UsageError, match=r'"crizotinb".*allowed: none, crizotinib.*Did you mean "crizotinib"\?'):
        option_table(posterior, frame, after="crizotinb")


ONE_ROW = """\
cohort_id,trial,line,prior_alk_tki,regimen_class,n,responders
a,A,pretreated,crizotinib,second,40,20
b,B,pretreated,crizotinib,second,30,18
"""


def fit_to(path, text: str):
    path.write_text(text, encoding="utf-8")
    spec = read_spec(model_path("sequence"))
    evidence = read_evidence(path, needed=spec.columns)
    return fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SamplerSettings(draws=500))


def test_a_single_cell_is_shown_and_compared_with_nothing(tmp_path) -> None:
    found = sequencing_of(fit_to(tmp_path / "one.csv", ONE_ROW))
    assert found.matrix[["earlier", "generation", "k"]].drop_duplicates().to_numpy().tolist() == [
        ["crizotinib", "second", 2]
    ]
    assert found.comparisons.empty
    assert list(found.comparisons)[:3] == ["earlier", "contrast", "option"]
    assert found.findings == (
        "After crizotinib there are cohorts of second (k = 2) alone: nothing to compare that rests on cohorts.",
    )
    assert any("no cohort with prior_alk_tki none, second, any and mixed" in each for each in found.cautions)


def test_what_a_reader_must_know_stands_first(tmp_path) -> None:
    found = sequencing_of(fit_to(tmp_path / "row.csv", ONE_ROW + "c,C,mixed,mixed,third,50,20\n"))
    assert found.cautions[0] == ORR.not_randomised(42)
    assert found.cautions[1].startswith("2 of 4 cells have no cohorts: their rates are predictions of the model")
    assert found.cautions[2] == "1 cell rests on one cohort."
    assert "no history of a patient: mixed (an ALK inhibitor in some patients)." in found.cautions[4]
    assert found.options["prob_best"].isna().all(), "one option with cohorts is not ranked"
    assert not found.comparisons["observed"].any()
