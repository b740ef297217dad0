"""Columns of any name, and what a model file says of them: headings, and levels in order."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit
from typer.testing import CliRunner

from alkbayes.classical.moderators.subgroups import subgroups
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.cli import app
from alkbayes.errors import EvidenceError, SpecError
from alkbayes.estimates.rates import contrast_table, pooled_table
from alkbayes.evidence.declared import Declared, DeclaredColumn
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.table import Evidence, composition, read_evidence
from alkbayes.model.covariates import stated_cohorts
from alkbayes.model.design import build_design, parameters
from alkbayes.spec.schema import Spec, parse_spec
from alkbayes.vocabulary import PLAIN_NAME, joined_key, slug_of, split_key

TABLE = """\
cohort_id,site of trial,Care setting,J/N,J N,Anteil (%),responders,n
a,x,inpatient,J,N,10,4,40
b,x,outpatient,N,J,20,9,30
c,y,day clinic,J,J,30,6,60
d,y,inpatient,N,N,40,5,50
e,z,outpatient,J,J,50,12,40
f,z,day clinic,N,N,60,10,50
"""
MODEL = """
schema = 1
name = "settings"
question = "Rate by setting"

[likelihood]
family = "binomial"
link = "logit"

[intercept]
prior = { dist = "normal", mean = -2.0, sd = 1.0 }
why = "a test"

[[effect]]
kind = "fixed"
column = "Care setting"
reference = "inpatient"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "a test"

[[effect]]
kind = "fixed"
column = "J/N"
reference = "J"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "a test"

[[effect]]
kind = "fixed"
column = "J N"
reference = "J"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "a test"

[[effect]]
kind = "numeric"
column = "Anteil (%)"
centre = 30
scale = 10
step = "per 10 %"
prior = { dist = "normal", mean = 0.0, sd = 0.5 }
why = "a test"

[[effect]]
kind = "interaction"
column = ["Care setting", "Anteil (%)"]
prior = { dist = "normal", mean = 0.0, sd = 0.5 }
why = "a test"

[[heterogeneity]]
column = "site of trial"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "a test"

[[heterogeneity]]
column = "cohort_id"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 0.5 }
why = "a test"

[columns."Care setting"]
label = "Setting of care"
levels = ["outpatient", "inpatient", "home", "day clinic"]

[columns."Anteil (%)"]
label = "Share"

[columns."site of trial"]
label = "centre"
"""
ORDER = ["outpatient", "inpatient", "day clinic"]


def spec_of_text(text: str = MODEL) -> Spec:
    return parse_spec(tomllib.loads(text), source="own.toml")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(TABLE)
    return path


def evidence_of(path: Path, spec: Spec) -> Evidence:
    return stated_cohorts(spec, read_evidence(path, needed=spec.needed, outcome=spec.outcome))


# names


def test_names_of_variables_are_safe_and_keep_apart_what_signs_tell_apart() -> None:
    names = ["J/N", "J N", "J-N", "J_N", "Anteil (%)", "Größe", "Grösse", "2nd line", "%", "a:b c", "a b:c"]
    slugs = [slug_of(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(PLAIN_NAME.fullmatch(f"beta_{slug}") for slug in slugs)
    assert slug_of("J_N") == "J_N"
    assert slug_of("line:generation") == "line_generation"


@pytest.mark.parametrize("names", [("a", "b"), ("a:b", "c"), ("a\\", "b"), ("a\\:", "\\:b"), ("a",)])
def test_a_key_splits_into_the_names_that_were_joined(names: tuple[str, ...]) -> None:
    assert split_key(joined_key(names)) == names


def test_a_column_called_as_a_pair_is_refused_beside_the_pair() -> None:
    text = MODEL.replace('"J N"', '"Care setting:Anteil (%)"')
    with pytest.raises(SpecError, match=r"effect\[4\]\.column: found .* for which results would have the name"):
        spec_of_text(text)


def test_draws_have_a_variable_for_each_column(table: Path) -> None:
    spec = spec_of_text()
    names = [each.name for each in parameters(build_design(spec, evidence_of(table, spec)))]
    assert len(set(names)) == len(names)
    assert all(PLAIN_NAME.fullmatch(name) for name in names)
    assert f"beta_{slug_of('J/N')}" in names
    assert f"tau_{slug_of('site of trial')}" in names


# declarations


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('label = "Share"', "levels = ['10']", 'columns."Anteil (%)".levels: found levels of a number'),
        (
            '"home", ',
            '"inpatient", ',
            'columns."Care setting".levels: found "inpatient" twice; allowed: each level once',
        ),
        ('"home", ', '"NA", ', 'found "NA", which says that a cell of a table is missing'),
        ('"home", ', '" home", ', 'columns."Care setting".levels: found ["outpatient", "inpatient", " home"'),
        ('label = "centre"', "lable = 'x'", 'columns."site of trial".lable: unknown key; allowed: label, levels.'),
        ('label = "centre"', "", 'columns."site of trial": found neither; allowed: label, levels or both.'),
        ('[columns."site of trial"]', '[columns." site"]', 'columns: found " site"; allowed: the name of a column'),
        ('[columns."site of trial"]', "[columns.n]", 'columns.n: found "n"; allowed: a column of levels or numbers'),
        ('reference = "inpatient"', 'reference = "Inpatient"', "allowed: outpatient, inpatient, home, day clinic."),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(old: str, new: str, line: str) -> None:
    assert old in MODEL
    with pytest.raises(SpecError) as caught:
        spec_of_text(MODEL.replace(old, new))
    assert line in str(caught.value)


def test_a_level_that_is_not_declared_is_refused_with_its_place(table: Path) -> None:
    table.write_text(TABLE.replace("d,y,inpatient", "d,y,In-patient").replace("f,z,day clinic", "f,z,hospice"))
    spec = spec_of_text()
    with pytest.raises(EvidenceError) as caught:
        evidence_of(table, spec)
    allowed = "allowed: outpatient, inpatient, home, day clinic."
    said = str(caught.value)
    assert f'own.csv, line 5, cohort "d", column Care setting: found "In-patient"; {allowed} Write `inpatient`.' in said
    assert f'own.csv, line 7, cohort "f", column Care setting: found "hospice"; {allowed}' in said


def test_a_declared_column_that_the_table_lacks_is_refused(table: Path) -> None:
    spec = spec_of_text(MODEL + '\n[columns."Care settings"]\nlabel = "x"\n')
    with pytest.raises(EvidenceError, match=r'no column "Care settings".*Did you mean "Care setting"'):
        evidence_of(table, spec)


def test_known_levels_yield_to_declared_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,line,responders,n\na,Naive,1,10\nb,Second,2,10\n")
    outcome = Outcome(declared=Declared({"line": DeclaredColumn("Treatment", ("Second", "Naive"))}))
    evidence = read_evidence(path, needed=("line",), outcome=outcome)
    assert evidence.frame["line"].tolist() == ["Naive", "Second"]
    assert composition(evidence)["level"].tolist() == ["Second", "Naive"]
    assert outcome.declared.heading("line") == "Treatment"
    assert outcome.declared.heading("line:generation") == "Treatment : TKI generation"
    assert outcome == ORR


def test_headings_do_not_change_the_hash_of_a_model_and_levels_do() -> None:
    one = spec_of_text().content_sha256
    assert spec_of_text(MODEL.replace("Setting of care", "Ward")).content_sha256 == one
    assert spec_of_text(MODEL.replace('"home", ', "")).content_sha256 != one


def test_an_outcome_survives_its_record() -> None:
    outcome = spec_of_text().outcome
    again = Outcome.of(json.loads(json.dumps(outcome.as_record())))
    assert (again, again.declared) == (outcome, outcome.declared)
    earlier = {name: value for name, value in ORR.as_record().items() if name != "declared"}
    assert Outcome.of(earlier).declared == Declared()


# order and slopes


def free_of(design: Any, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for each in parameters(design):
        shape = (1, 50) if each.coords is None else (1, 50, each.size)
        values = 0.5 * rng.standard_normal(shape)
        found[each.name] = np.abs(values) if each.support == "positive" else values
    return found


def test_levels_are_in_the_declared_order_in_every_table(table: Path, posterior_from: Callable[..., Any]) -> None:
    spec = spec_of_text()
    evidence = evidence_of(table, spec)
    pooled = pool_table(evidence, by=["Care setting"])
    assert list(dict.fromkeys(pooled["level"])) == ["all", *ORDER]
    assert [
        level.level
        for level in subgroups(evidence, "Care setting", method=PoolingMethod.DL_LOGIT, shared_tau2=True).levels
    ] == ORDER
    design = build_design(spec, evidence)
    posterior = posterior_from(design, free_of(design))
    rates = pooled_table(posterior)
    assert list(dict.fromkeys(rates.loc[rates["group"] == "Care setting", "level"])) == ORDER
    contrasts = contrast_table(posterior)
    of_setting = contrasts[contrasts["column"] == "Care setting"]
    assert list(dict.fromkeys(of_setting["contrast"])) == [
        "inpatient vs outpatient",
        "day clinic vs outpatient",
        "day clinic vs inpatient",
    ]


def test_slopes_are_compared_between_levels(table: Path, posterior_from: Callable[..., Any]) -> None:
    spec = spec_of_text()
    design = build_design(spec, evidence_of(table, spec))
    free = free_of(design)
    contrasts = contrast_table(posterior_from(design, free)).set_index(["contrast", "scale"])
    name = "day clinic vs inpatient (difference of slopes, per 10 %)"
    (block,) = (block for block in design.effects if block.factors)
    place = block.free_coords.index("day clinic:per 10 %")
    # The reference's slope is the number's own, so that the difference is the interaction's coefficient. The ratio of
    # odds ratios is its exponential, whatever the patients.
    coefficient = free[block.free][0, :, place]
    assert contrasts.loc[(name, "odds_ratio"), "median"] == pytest.approx(np.median(np.exp(coefficient)), rel=1e-12)
    # On the other scale, a difference of differences over the table's cohorts, whose tau is set to about zero here.
    still = free | {key: np.full_like(free[key], 1e-9) for key in free if key.startswith("tau_")}
    found = contrast_table(posterior_from(design, still)).set_index(["contrast", "scale"])
    logits = {}
    for setting in ("inpatient", "day clinic"):
        for steps in (0.0, 1.0):
            eta = np.zeros((50, 6)) + free["alpha"][0][:, None]
            for column, level in (("J/N", "N"), ("J N", "N")):
                has = (design.profiles[column] == level).astype(float)
                eta += free[f"beta_{slug_of(column)}"][0] * has
            eta += steps * free[f"beta_{slug_of('Anteil (%)')}"][0]
            if setting == "day clinic":
                main = next(each for each in design.effects if each.label == "Care setting")
                eta += free[main.free][0][:, [main.free_coords.index(setting)]] + steps * coefficient[:, None]
            logits[setting, steps] = expit(eta) @ (design.n / design.n.sum())
    rise = {setting: logits[setting, 1.0] - logits[setting, 0.0] for setting in ("inpatient", "day clinic")}
    expected = np.median(rise["day clinic"] - rise["inpatient"])
    # The package integrates over deviations of 1e-9 by quadrature: its rounding is far below 1e-6.
    assert found.loc[(name, "risk_difference"), "median"] == pytest.approx(expected, abs=1e-6)


# commands


@pytest.mark.slow
def test_a_run_says_the_same_everywhere(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    effect = """
[[effect]]
kind = "exchangeable"
column = "trial"
sd_prior = { dist = "half_normal", sd = 0.3 }
why = "a test"

[[effect]]
kind = "exchangeable"
column = ["J/N", "J N"]
sd_prior = { dist = "half_normal", sd = 0.3 }
why = "a test"

[[heterogeneity]]
column = "site of trial\""""
    # The table has no column of trials: each cohort is a trial of its own.
    Path("own.toml").write_text(MODEL.replace('\n[[heterogeneity]]\ncolumn = "site of trial"', effect))
    run = CliRunner()

    def said(*arguments: str) -> str:
        result = run.invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    fitted = said("fit", "own.toml", "--data", str(table), "--engine", "quadrature", "--out", "run")
    for text in (fitted, said("summary", "run")):
        assert " Setting of care\n" in text
        assert "Contrasts of Share" in text
        assert "new cohort of a new centre" in text
        assert "Anteil" not in text
    document = json.loads(said("summary", "run", "--json"))
    assert document["outcome"]["declared"]["Care setting"]["label"] == "Setting of care"
    rows = [row for row in document["pooled"] if row["group"] == "Care setting"]
    assert list(dict.fromkeys(row["level"] for row in rows)) == ORDER
    tree = xr.open_datatree("run/posterior.nc")
    assert f"beta_{slug_of('J/N')}" in tree["posterior"]
    data = xr.open_dataset("run/posterior.nc", group="constant_data")
    assert data[slug_of("J/N")].to_numpy().tolist() == ["J", "N", "J", "N", "J", "N"]
    said("plot", "run", "forest", "--out", "forest.svg")
    said("plot", "run", "cells", "--out", "cells.svg")
    assert "By Setting of care" in Path("cells.svg").read_text()
    said("report", "run", "--out", "report.md")
    report = Path("report.md").read_text()
    assert "Setting of care" in report
    diagnosed = said("diagnose", "run", "--json")
    assert "beta of J/N[N]" in diagnosed
    assert "sd of J/N:J N" in diagnosed
    assert "tau of centre" in said("summary", "run")
    calibrated = said("calibrate", "own.toml", "--data", str(table), "--replications", "2", "--out", "cal")
    for text in (
        fitted,
        diagnosed,
        report,
        calibrated,
        Path("cal/summary.json").read_text(),
        said("predictive", "run"),
    ):
        assert not re.findall(r"\w+_[0-9a-f]{6}\b", text)
    planned = said("predict", "run", "--n", "20", "--at", "Care setting=inpatient", "--at", "Anteil (%)=35")
    assert "Setting of care inpatient, Share 35" in planned


def test_pool_and_subgroups_say_the_headings_of_a_model(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.toml"
    model.write_text(MODEL)
    common = ["--data", str(table), "--outcome", str(model)]
    pooled = CliRunner().invoke(app, ["pool", "--by", "Care setting", "--by", "J/N", *common]).stdout
    assert "by Setting of care, outpatient" in pooled
    assert "by J/N, J" in pooled
    assert pooled.index("care, outpatient") < pooled.index("care, inpatient") < pooled.index("care, day clinic")
    grouped = CliRunner().invoke(app, ["subgroups", "Care setting", *common]).stdout
    assert "Subgroups by Setting of care" in grouped
    regressed = CliRunner().invoke(app, ["regress", "Anteil (%)", *common])
    assert regressed.exit_code == 0, regressed.output
    where = ["--where", '`J/N` == "J"', "--columns", "share=Anteil (%)"]
    chosen = CliRunner().invoke(app, ["pool", "--data", str(table), *where, "--json"])
    assert chosen.exit_code == 0, chosen.output
