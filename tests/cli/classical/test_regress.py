"""`alkbayes regress`: what goes to stdout and stderr, and with which exit code."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact, norm
from typer.testing import CliRunner, Result

from alkbayes.classical.moderators.regression import regress
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.cli import app
from alkbayes.evidence.table import read_evidence

type Command = Callable[..., Result]

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"


def test_json_is_the_regression_with_odds_ratios(alkbayes: Command) -> None:
    result = alkbayes("regress", "line", "regimen_class", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)["regression"]
    expected = regress(read_evidence(), ["line", "regimen_class"], method=PoolingMethod.REML_LOGIT_HK_ADHOC)
    assert document["moderators"] == ["line", "regimen_class"]
    assert (document["tau2"], document["r2"], document["q_e_df"]) == (expected.tau2, expected.r2, 59)
    assert document["omnibus"]["statistic"] == expected.omnibus.statistic
    intercept, second, *_ = document["coefficients"]
    assert intercept["odds_ratio"] is None
    assert second["name"] == "line: pretreated (against naive)"
    for ratio, log in (("odds_ratio", "estimate"), ("odds_ratio_low", "low"), ("odds_ratio_high", "high")):
        assert math.log(second[ratio]) == pytest.approx(second[log], rel=1e-12)


def test_csv_is_the_coefficients(alkbayes: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(alkbayes("regress", "line", "--csv").stdout)))
    assert [row["name"] for row in rows] == [
        "intercept",
        "line: pretreated (against naive)",
        "line: mixed (against naive)",
    ]
    assert rows[0]["odds_ratio"] == ""


@pytest.mark.parametrize("columns", [80, 100])
def test_the_table_for_a_reader_fits(columns: int) -> None:
    runner = CliRunner(env={"COLUMNS": str(columns), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"})
    for method in ("reml-logit-hk", "glmm-ml", "reml-raw"):
        result = runner.invoke(app, ["regress", "line", "regimen_class", "n", "--method", method])
        assert result.exit_code == 0
        assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= columns
        assert "…" not in result.stdout


def test_the_reader_is_told_tests_and_left_out_cohorts(alkbayes: Command) -> None:
    text = " ".join(alkbayes("regress", "line", "pfs_median", "--method", "glmm-ml").stdout.split())
    assert "Meta-regression of 39 cohorts, glmm-ml, logit scale" in text
    assert "27 of 66 cohorts have no value in one of line, pfs_median and are left out: af001jp-phase2," in text
    assert "Moderators: likelihood ratio = " in text
    assert text.endswith("a coefficient is no causal effect.")


def test_an_inverse_variance_method_has_its_f_test_and_profile_interval(alkbayes: Command) -> None:
    lines = [line.rstrip() for line in alkbayes("regress", "line", "regimen_class").stdout.splitlines()]
    assert "Moderators: F = 7.28, df 6 and 59, p < 0.001" in lines
    assert "Residual heterogeneity: tau2 0.262 (0.201–0.610), I2 82 %" in lines
    assert "Test of it: Q_E = 275.63, df 59, p < 0.001" in lines
    assert "R2: 53 % of the variance between cohorts goes with the moderators" in lines


def test_a_small_coefficient_keeps_two_digits_of_its_error(alkbayes: Command) -> None:
    (row,) = [line.split() for line in alkbayes("regress", "n").stdout.splitlines() if line.startswith(" n (per")]
    record = json.loads(alkbayes("regress", "n", "--json").stdout)["regression"]["coefficients"][1]
    assert f"{record['se']:.2g}" in row


def test_an_estimate_near_zero_has_the_decimals_of_its_error(alkbayes: Command) -> None:
    lines = alkbayes("regress", "region", "--data", str(STRANGERS / "na_moderator.csv")).stdout.splitlines()
    (row,) = [line.split() for line in lines if line.startswith(" intercept")]
    assert row == ["intercept", "0.00", "0.40", "−0.94", "to", "0.94", "0.993"]


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1.0, 1e6, 1e9])
def test_name_estimate_and_p_are_always_there(tmp_path: Path, scale: float) -> None:
    path = tmp_path / "own.csv"
    rows = "".join(
        f"c{place},{50 + place},{responders},{place * scale!r},{level * 40}\n"
        for place, (responders, level) in enumerate(zip((9, 14, 11, 25, 21, 30), "aabbab", strict=True))
    )
    path.write_text(f"cohort_id,n,responders,dose,level\n{rows}", encoding="utf-8")
    for method in ("reml-logit-hk", "reml-raw"):
        result = CliRunner(env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}).invoke(
            app, ["regress", "dose", "level", "--data", str(path), "--method", method]
        )
        # The path of the table stands in a line of its own, as long as it is.
        lines = result.stdout.splitlines()[1:]
        assert max(len(line.rstrip()) for line in lines) <= 80
        assert "…" not in result.stdout
        (heading,) = [line.split() for line in lines if line.startswith("coefficient")]
        assert {"estimate", "p"} <= set(heading)
        (row,) = [line for line in lines if line.startswith("dose (per unit) ")]
        document = json.loads(
            CliRunner()
            .invoke(app, ["regress", "dose", "--data", str(path), "level", "--json", "--method", method])
            .stdout
        )
        coefficient = document["regression"]["coefficients"][1]
        printed = float(row.removeprefix("dose (per unit)").split()[0].replace("−", "-").replace(",", ""))
        assert printed == pytest.approx(coefficient["estimate"], rel=0.1)
        assert f"{coefficient['p']:.3f}" in row


def test_the_binomial_model_takes_cohorts_within_trials(alkbayes: Command) -> None:
    document = json.loads(alkbayes("regress", "line", "--method", "glmm-ml-trials", "--json").stdout)["regression"]
    expected = regress(read_evidence(), ["line"], method=PoolingMethod.GLMM_ML, group="trial")
    assert document["group"] == "trial"
    assert document["tau2_group"] == pytest.approx(expected.tau2_group)
    text = " ".join(alkbayes("regress", "line", "--method", "glmm-ml-trials").stdout.split())
    assert "Meta-regression of 66 cohorts, glmm-ml-trials, cohorts within trials, logit scale" in text
    assert (text.count("likelihood ratio = "), text.count("Q_")) == (2, 0)


@pytest.mark.parametrize("method", [method for method in PoolingMethod if not method.startswith(("crude", "beta"))])
def test_every_method_goes_by_the_name_that_was_given(alkbayes: Command, method: str) -> None:
    for command, key in (("regress", "regression"), ("subgroups", "subgroups")):
        document = json.loads(alkbayes(command, "line", "--method", method, "--json").stdout)
        assert document[key]["method"] == method


def test_glmers_numbers_are_printed_of_three_kinds_of_event_in_five_studies(alkbayes: Command) -> None:
    """glmer with AE as a fixed effect and a random intercept of trial: -3.29, 1.01, 1.91, variance 0.066."""
    table = Path(__file__).parents[2] / "fixtures" / "strangers" / "meta48.csv"
    lines = alkbayes("regress", "AE", "--method", "glmm-ml-trials", "--data", table).stdout.splitlines()
    words = [line.split() for line in lines]
    (intercept,) = [row for row in words if row[:1] == ["intercept"]]
    major, minor = [row for row in words if row[:1] == ["AE:"]]
    assert (intercept[1], major[4], minor[4]) == ("−3.29", "1.01", "1.91")
    assert "Residual heterogeneity: tau2 0.066" in [line.rstrip() for line in lines]


@pytest.mark.parametrize("method", ["reml-logit-cr2", "common-logit-cr2"])
def test_a_cluster_robust_error_below_that_of_the_model_is_not_believed(alkbayes: Command, method: str) -> None:
    """15/60 against 24/61: the likelihood ratio of the 2 x 2 table, and Woolf's interval of its odds ratio."""
    data = str(STRANGERS / "same_rate.csv")
    table = np.array([[15, 45], [24, 37]])
    p = chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert fisher_exact(table).pvalue > p > 0.08
    odds, half = 24 * 45 / (15 * 37), norm.ppf(0.975) * math.sqrt((1 / table).sum())
    low, high = (math.exp(math.log(odds) + sign * half) for sign in (-1, 1))
    right = f"glmm-ml: arm: y (against x) {odds:.2f} ({low:.2f}–{high:.2f}), likelihood ratio p = {p:.3f}."
    said = " ".join(alkbayes("regress", "arm", "--data", data, "--method", method).stdout.split())
    assert "cluster-robust standard error is smaller here than the model-based one" in said
    assert "1.97 degrees of freedom, 4.4 standard errors either side, is of little use." in said
    assert f"See the odds ratios of the binomial model, {right} There, tau2 is estimated at 0" in said
    said = " ".join(alkbayes("subgroups", "arm", "--data", data, "--method", method).stdout.split())
    assert "cluster-robust standard error is smaller here than the model-based one" in said
    assert f"See the likelihood-ratio test of the binomial model, glmm-ml: p = {p:.3f}." in said
    # Each level has what `pool` says of it, and no other's.
    assert "x: The clusters do not differ at all" in said
    assert said.count("The clusters do not differ at all") == 1
    assert "The cluster-robust interval is narrower here than the plain one, and may be far too sure. See that" in said
    # 44 trials, errors above those of the model: nothing to say.
    for command in ("regress", "subgroups"):
        assert "cluster-robust" not in alkbayes(command, "line", "--method", method).stdout


@pytest.mark.parametrize("method", ["reml-logit-hk-adhoc", "reml-logit", "reml-logit-cr2", "common-logit"])
def test_an_odds_ratio_of_the_added_half_alone_is_said_to_be_arbitrary(alkbayes: Command, method: str) -> None:
    data = str(STRANGERS / "separ.csv")
    said = " ".join(alkbayes("regress", "grp", "--data", data, "--method", method).stdout.split())
    named = "Complete separation: the counts alone give no finite odds ratio for grp: b (against a)."
    assert f"{named} The one printed exists only through the added 1/2 and is arbitrary in size" in said
    said = " ".join(alkbayes("subgroups", "grp", "--data", data, "--method", method).stdout.split())
    assert said.count("Complete separation: none or all respond in a and b") == 1
    # The binomial model prints no odds ratio, and one empty cohort among others separates nothing.
    assert named in " ".join(alkbayes("regress", "grp", "--data", data, "--method", "glmm-ml").stdout.split())
    for command in ("regress", "subgroups"):
        assert "separation" not in alkbayes(command, "line", "--method", method).stdout


def test_a_method_that_ignores_trials_says_so(alkbayes: Command) -> None:
    note = "66 cohorts come from 44 trials; {} takes them as independent. glmm-ml-trials does not."
    assert note.format("reml-logit-hk-adhoc") in " ".join(alkbayes("regress", "line").stdout.split())
    document = json.loads(alkbayes("regress", "line", "--method", "glmm-ml", "--json").stdout)["regression"]
    assert note.format("glmm-ml") in document["note"]
    assert "independent" not in alkbayes("regress", "line", "--method", "reml-logit-cr2").stdout


def test_no_odds_ratios_off_the_logit_scale(alkbayes: Command) -> None:
    assert "odds ratio" not in alkbayes("regress", "line", "--method", "reml-arcsine").stdout
    rows = json.loads(alkbayes("regress", "line", "--method", "reml-arcsine", "--json").stdout)["regression"]
    assert all(row["odds_ratio"] is None for row in rows["coefficients"])


def test_a_fit_without_a_result_says_so(tmp_path: Path, alkbayes: Command) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,dose\na,20,0,1\nb,20,0,2\nc,20,0,3\nd,20,0,4\n", encoding="utf-8")
    result = alkbayes("regress", "dose", "--data", path, "--method", "glmm-ml")
    assert result.exit_code == 0
    assert "No result: the likelihood has no maximum at finite values." in result.stdout
    assert "reconstructs" not in result.stdout
    document = json.loads(alkbayes("regress", "dose", "--data", path, "--method", "glmm-ml", "--json").stdout)
    assert document["regression"]["converged"] is False
    assert document["regression"]["coefficients"][1]["odds_ratio"] is None


@pytest.mark.parametrize(
    ("column", "table", "options", "code"),
    [
        ("mixed", "regress_bad.csv", (), 3),
        ("year_na", "na_moderator.csv", ("--reference", "year_na=2005"), 2),
    ],
)
def test_numbers_that_may_be_levels_name_the_option_that_makes_them_so(
    alkbayes: Command, column: str, table: str, options: tuple[str, ...], code: int
) -> None:
    asked = ("regress", column, "--data", str(STRANGERS / table), *options)
    result = alkbayes(*asked)
    assert result.exit_code == code
    advice = result.stderr.rstrip().split("\n")[-1]
    assert advice == f"To treat {column} as a factor, each value a level: --levels {column}"
    followed = alkbayes(*asked, *advice.rsplit(": ", 1)[1].split())
    assert (followed.exit_code, followed.stderr) == (0, "")
    assert f"{column}: 2006 (against " in followed.stdout


def test_levels_and_references_are_chosen(alkbayes: Command) -> None:
    path = Path(__file__).parents[2] / "fixtures" / "strangers" / "debruin_mods.csv"
    options = ("--levels", "year", "--reference", "ethnicity=other", "--reference", "year=2003")
    document = json.loads(alkbayes("regress", "ethnicity", "year", "--data", path, *options, "--json").stdout)
    names = [row["name"] for row in document["regression"]["coefficients"]]
    years = [f"year: {year} (against 2003)" for year in (1999, 2000, 2002, 2005, 2006)]
    assert names == ["intercept", "ethnicity: caucasian (against other)", *years]


def test_bad_requests_have_their_exit_codes(alkbayes: Command) -> None:
    for arguments, code, message in (
        (("smoking",), 3, "no column smoking to regress on"),
        (("line", "--method", "best"), 2, '--method: found "best"; allowed: '),
        (("line", "--method", "crude-wald"), 2, "crude-wald cannot regress"),
        (("line", "--json", "--csv"), 2, "exclude each other"),
        (("line", "--reference", "naive"), 2, "--reference: found 'naive'; allowed: COLUMN=LEVEL"),
        (("line", "--reference", "line="), 2, "--reference: found 'line='; allowed: COLUMN=LEVEL"),
        (("line", "--reference", "line=naive", "--reference", "line=mixed"), 2, "two levels of line, naive and mixed"),
        (("line", "--reference", "line=second"), 3, 'no cohort has the reference level "second"'),
        (("line", "--levels", "n"), 2, "n cannot have levels here; regressed on: line."),
        ((), 2, "Missing argument"),
    ):
        result = alkbayes("regress", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr


def test_interactions_are_tested_term_by_term_and_rates_predicted_at_values(alkbayes: Command) -> None:
    table = STRANGERS / "debruin_mods.csv"
    asked = ("regress", "scq*ethnicity", "--data", table, "--reference", "ethnicity=other")
    lines = [line.strip() for line in alkbayes(*asked, "--at", "scq=5,40").stdout.splitlines()]
    assert [line.split(":")[0] for line in lines if "F = " in line] == ["Moderators", "scq", "ethnicity", "scq"]
    assert "scq:ethnicity: F = 0.05, df 1 and 9, p = 0.829" in lines
    assert "Objective response rate at values of moderators, %" in lines
    (row,) = [line.split() for line in lines if line.startswith("40 *")]
    assert row == ["40", "*", "77.1", "42.0–94.0", "33.7–95.7"]
    document = json.loads(alkbayes(*asked, "--at", "scq=5,40", "--json").stdout)["regression"]
    five, forty = document["predictions"]
    assert (five["at"], forty["extrapolated"]) == ({"scq": "5"}, True)
    assert [term["term"] for term in document["terms"]] == ["scq", "ethnicity", "scq:ethnicity"]
    rows = list(csv.DictReader(io.StringIO(alkbayes(*asked, "--at", "scq=5,40", "--csv").stdout)))
    assert [row["at_scq"] for row in rows] == ["5", "40"]
    assert float(rows[0]["estimate"]) == pytest.approx(five["estimate"], rel=1e-12)


def test_one_term_is_tested_once(alkbayes: Command) -> None:
    assert alkbayes("regress", "n").stdout.count("F = ") == 1


def test_a_bubble_plot_of_each_number(alkbayes: Command, tmp_path: Path) -> None:
    table, figure = STRANGERS / "debruin_mods.csv", tmp_path / "bubble.svg"
    result = alkbayes("regress", "scq*ethnicity", "year", "--data", table, "--plot", figure)
    assert result.exit_code == 0, result.output
    first, second = ((tmp_path / f"bubble-{page}.svg").read_text(encoding="utf-8") for page in (1, 2))
    assert "Response rate by scq and ethnicity" in first
    assert "Response rate by year" in second
    assert "typical rate, 95 % confidence interval" in second
    again = alkbayes("regress", "ethnicity", "--data", table, "--plot", tmp_path / "no.svg")
    assert (again.exit_code, (tmp_path / "no.svg").exists()) == (2, False)
    assert "each of these moderators is a factor" in " ".join(again.stderr.split())
