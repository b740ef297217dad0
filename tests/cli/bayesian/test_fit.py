"""`alkbayes fit`, by real small runs: what goes to stdout and stderr, with which exit code, and what is on disk."""

import contextlib
import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import NoneType
from typing import Any

import pytest

from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.evidence.table import read_evidence
from alkbayes.runs import run as runs

NUMBER = (float,)
MAYBE = (float, NoneType)
TEXT = (str,)
MAYBE_TEXT = (str, NoneType)
PLACE = dict.fromkeys(("first_column", "first_level", "second_column", "second_level"), MAYBE_TEXT)
COUNT = (int,)

DOCUMENT = {
    "schema": COUNT,
    "model": TEXT,
    "question": TEXT,
    "link": TEXT,
    "outcome": (dict,),
    "standard": TEXT,
    "interval_prob": NUMBER,
    "chosen": TEXT,
    "unnamed": (list,),
    "unexamined": (list,),
    "engine": TEXT,
    "evidence": (dict,),
    "diagnostics": (dict,),
    "pooled": (list,),
    "heterogeneity": (list,),
    "heterogeneity_unit": (str, type(None)),
    "exchangeability": (list,),
    "contrasts": (list,),
    "classical": (list,),
    "exceedance": (list,),
    "notes": (list,),
    "note_kinds": (list,),
    "provenance": (dict,),
    "command": TEXT,
    "written": TEXT,
    "files": (dict,),
    "content_sha256": TEXT,
    "run": TEXT,
}
OUTCOME = ("responders", "n", "label", "patients", "short", "event", "events", "had", "unit", "units")
EVIDENCE = {
    "source": TEXT,
    "cohorts": COUNT,
    "trials": COUNT,
    "patients": COUNT,
    "responders": COUNT,
    "sha256": TEXT,
    "sheet": (NoneType,),
    "columns": (dict,),
    "where": TEXT,
    "exclude": (list,),
    "reason": TEXT,
    "file": TEXT,
}
DIAGNOSTICS = {
    "converged": (bool,),
    "rhat_max": NUMBER,
    "rhat_max_parameter": TEXT,
    "ess_bulk_min": NUMBER,
    "ess_bulk_min_parameter": TEXT,
    "ess_tail_min": NUMBER,
    "ess_tail_min_parameter": TEXT,
    "divergences": COUNT,
    "ebfmi_min": NUMBER,
    "pareto_k": (NoneType,),
    "importance_ess": (NoneType,),
    "failures": (list,),
    "checks": (list,),
}
# Chains that stand still leave no error.
ERRORS = dict.fromkeys(("mcse", "mcse_median", "mcse_low", "mcse_high"), MAYBE)
POOLED = {
    "group": TEXT,
    "level": TEXT,
    **PLACE,
    "line": MAYBE_TEXT,
    "generation": MAYBE_TEXT,
    "k": COUNT,
    "patients": COUNT,
    "responders": COUNT,
    "weights": TEXT,
    "over": TEXT,
    "predicted": NUMBER,
    "estimand": TEXT,
    "mean": NUMBER,
    "median": NUMBER,
    "sd": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
}
POOLED |= ERRORS | dict.fromkeys((f"own_{name}" for name in ("mean", "median", "low", "high", *ERRORS)), NUMBER)
HETEROGENEITY = {"parameter": TEXT, "mean": NUMBER, "median": NUMBER, "low": NUMBER, "high": NUMBER} | ERRORS
CONTRAST = {
    "column": TEXT,
    "contrast": TEXT,
    "first": TEXT,
    "second": TEXT,
    "over": TEXT,
    "predicted": NUMBER,
    "scale": TEXT,
    "mean": NUMBER,
    "median": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "prob_better": NUMBER,
} | ERRORS
CLASSICAL = {
    "group": TEXT,
    "level": TEXT,
    **PLACE,
    "method": TEXT,
    "scale": TEXT,
    "k": COUNT,
    "patients": COUNT,
    "responders": COUNT,
    "estimate": MAYBE,
    "low": MAYBE,
    "high": MAYBE,
    "prediction_low": MAYBE,
    "prediction_high": MAYBE,
    "tau2": MAYBE,
    "i2": MAYBE,
    "h2": MAYBE,
    "q": MAYBE,
    "q_df": (int, float, NoneType),
    "q_p": MAYBE,
    "tau2_low": MAYBE,
    "tau2_high": MAYBE,
    "i2_low": MAYBE,
    "i2_high": MAYBE,
    "h2_low": MAYBE,
    "h2_high": MAYBE,
    "tau2_trial": MAYBE,
    "rho": MAYBE,
    "corrected": MAYBE,
    "note": TEXT,
    "notes": (list,),
}
ESTIMANDS = {"these_cohorts", "typical", "mean", "next_cohort"}
GROUPS = {
    ("all", "all"): (8, 203, 343),
    ("line", "naive"): (4, 131, 170),
    ("line", "pretreated"): (4, 72, 173),
    ("generation", "first"): (4, 89, 151),
    ("generation", "second"): (4, 114, 192),
    ("line:generation", "naive:first"): (2, 59, 81),
    ("line:generation", "naive:second"): (2, 72, 89),
    ("line:generation", "pretreated:first"): (2, 30, 70),
    ("line:generation", "pretreated:second"): (2, 42, 103),
}
"""Cohorts, responders and patients of each group of the own table, added up by hand."""

# Starts the command line as a shell in the foreground does: with Ctrl-C not ignored.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from alkbayes.cli import main; main()"


def check(record: dict[str, Any], contract: dict[str, tuple[type, ...]]) -> None:
    """Hold the keys of a record, in order, and the types of its values against the contract."""
    assert list(record) == list(contract)
    wrong = {name: value for name, value in record.items() if type(value) not in contract[name]}
    assert wrong == {}


def test_json_is_one_document_with_the_promised_keys(json_run) -> None:
    assert json_run.result.exit_code == 0
    assert json_run.result.stderr == ""
    document = json_run.document
    check(document, DOCUMENT)
    check(document["outcome"], dict.fromkeys(OUTCOME, TEXT) | {"declared": (dict,)})
    check(document["evidence"], EVIDENCE)
    check(document["diagnostics"], DIAGNOSTICS)
    for name, contract in (
        ("pooled", POOLED),
        ("heterogeneity", HETEROGENEITY),
        ("contrasts", CONTRAST),
        ("classical", CLASSICAL),
    ):
        assert document[name]
        for record in document[name]:
            check(record, contract)


def test_the_document_says_what_was_fitted(json_run, own_table: Path) -> None:
    document = json_run.document
    assert document["model"] == "line-generation"
    assert document["engine"] == "nuts"
    assert document["run"] == str(json_run.folder)
    assert document["evidence"] == {
        "source": str(own_table),
        "cohorts": 8,
        "trials": 6,
        "patients": 343,
        "responders": 203,
        "sha256": sha256(own_table.read_bytes()).hexdigest(),
        "file": "evidence.csv",
        "sheet": None,
        "columns": {},
        "where": "",
        "exclude": [],
        "reason": "",
    }
    settings = document["provenance"]["settings"]
    assert (settings["seed"], settings["chains"], settings["draws"]) == (7, 4, 1000)
    assert document["diagnostics"]["converged"]
    assert document["diagnostics"]["failures"] == []
    assert document["diagnostics"]["rhat_max"] < 1.01
    assert document["diagnostics"]["ess_bulk_min"] > 400
    assert document["diagnostics"]["ess_tail_min"] > 400
    assert any("not randomised" in note for note in document["notes"])
    assert not any("reconstructs" in note for note in document["notes"])


def test_every_group_has_each_estimand_once_and_its_own_counts(json_run) -> None:
    pooled = json_run.document["pooled"]
    assert len(pooled) == 4 * len(GROUPS)
    for (group, level), (k, responders, patients) in GROUPS.items():
        rows = [row for row in pooled if (row["group"], row["level"]) == (group, level)]
        assert {row["estimand"] for row in rows} == ESTIMANDS
        named = dict(zip(group.split(":"), level.split(":"), strict=True))
        for row in rows:
            assert (row["k"], row["responders"], row["patients"]) == (k, responders, patients)
            assert (row["line"], row["generation"]) == (named.get("line"), named.get("generation"))


def test_pooled_rates_are_ordered_proportions(json_run) -> None:
    by_group: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in json_run.document["pooled"]:
        assert 0 <= row["low"] < row["median"] < row["high"] <= 1
        assert row["low"] < row["mean"] < row["high"]
        assert 0 < row["sd"] < 0.5
        by_group.setdefault((row["group"], row["level"]), {})[row["estimand"]] = row
    for estimands in by_group.values():
        widths = {name: row["high"] - row["low"] for name, row in estimands.items()}
        assert widths["next_cohort"] > max(widths["mean"], widths["typical"])
        # The patients of these very cohorts: near their own responders over patients.
        registry = estimands["these_cohorts"]
        assert registry["median"] == pytest.approx(registry["responders"] / registry["patients"], abs=0.08)


def test_contrasts_and_heterogeneity(json_run) -> None:
    contrasts = json_run.document["contrasts"]
    assert {(row["column"], row["contrast"]) for row in contrasts} == {
        ("line", "pretreated vs naive"),
        ("generation", "second vs first"),
    }
    assert [row["scale"] for row in contrasts] == ["odds_ratio", "risk_difference"] * 2
    for row in contrasts:
        assert row["low"] < row["median"] < row["high"]
        assert 0 <= row["prob_better"] <= 1
        assert row["low"] > (0 if row["scale"] == "odds_ratio" else -1)
    line_odds, line_difference = contrasts[:2]
    assert line_odds["high"] < 1
    assert line_difference["high"] < 0
    assert line_odds["prob_better"] < 0.025
    heterogeneity = {row["parameter"]: row for row in json_run.document["heterogeneity"]}
    assert list(heterogeneity) == ["tau_trial", "tau_cohort", "tau_total", "sd_generation", "explained", "i2"]
    for name, row in heterogeneity.items():
        assert 0 <= row["low"] < row["median"] < row["high"]
        assert row["high"] <= 1 or name not in {"explained", "i2"}


def test_classical_records_are_those_of_pool_for_the_same_groups(json_run, own_table: Path) -> None:
    records = json_run.document["classical"]
    methods = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.GLMM_ML)
    assert [(row["group"], row["level"]) for row in records] == [group for group in GROUPS for _ in methods]
    assert [row["method"] for row in records] == list(methods) * len(GROUPS)
    expected = pool_table(
        read_evidence(own_table), by=["line", "regimen_class", ("line", "regimen_class")], methods=methods
    )
    for name in ("estimate", "low", "high", "prediction_low", "prediction_high", "tau2"):
        found = [float("nan") if row[name] is None else row[name] for row in records]
        assert found == pytest.approx(expected[name].tolist(), rel=1e-12, nan_ok=True)
    crude = records[0]
    assert crude["estimate"] == pytest.approx(203 / 343, rel=1e-12)
    assert crude["prediction_low"] is crude["tau2"] is crude["q"] is None


def test_text_says_everything_in_its_order(text_run) -> None:
    result = text_run.result
    assert result.exit_code == 0
    assert result.stderr == ""
    text = result.stdout
    order = (
        "Model: line-generation, as the table has line and regimen_class, but no column prior_alk_tki",
        "8 cohorts of 6 trials, 203 responders of 343 patients",
        "Posterior: converged. 4 chains of 1000 draws, seed 7;",
        "Pooled objective response rate, %",
        "overall",
        "naive : first",
        "The levels of a column are averaged over these patients",
        "Heterogeneity",
        "Contrasts of line",
        "Contrasts of TKI generation",
        "Note: Cohorts are not randomised",
        "Run: runs/line-generation-",
    )
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)
    assert "NOT CONVERGED" not in text
    lines = text.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("Pooled ")))
    assert max(map(len, lines[start : start + 27])) <= 100
    assert "…" not in text


def test_the_table_for_a_reader_holds_the_numbers_of_the_document(text_run, json_run) -> None:
    lines = text_run.result.stdout.splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.strip().startswith("overall")]
    values, intervals = lines[start].split(), lines[start + 1].split()
    rows = {row["estimand"]: row for row in json_run.document["pooled"] if row["group"] == "all"}
    assert values[:4] == ["overall", "8", "343", f"{100 * 203 / 343:.1f}"]
    assert intervals[0] == "203"

    def of(name: str, text: str, *columns: str) -> str:
        # How many decimals there are depends on the Monte Carlo errors.
        digits = len(text.partition("–")[0].partition(".")[2])
        return "–".join(f"{100 * rows[name][column]:.{digits}f}" for column in columns)

    assert values[5:7] == [of("typical", values[5], "median"), of("mean", values[6], "median")]
    assert values[7] == of("next_cohort", values[7], "low", "high")
    assert intervals[3:] == [of("typical", intervals[3], "low", "high"), of("mean", intervals[4], "low", "high")]


def test_the_default_folder_is_named_by_model_and_time(text_run) -> None:
    assert re.fullmatch(r"line-generation-\d{8}-\d{6}", text_run.folder.name)
    assert sorted(path.name for path in text_run.home.iterdir()) == ["runs"]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(json_run, text_run, failed_run) -> None:
    tables = [
        {
            name: (run.folder / f"{name}.csv").read_bytes()
            for name in ("pooled", "contrasts", "cohorts", "heterogeneity")
        }
        for run in (json_run, text_run, failed_run)
    ]
    assert tables[0] == tables[1]
    assert all(tables[0][name] != tables[2][name] for name in tables[0])


def test_the_files_of_a_run_are_those_promised(json_run, own_table: Path) -> None:
    folder = json_run.folder
    tables = ["classical.csv", "cohorts.csv", "contrasts.csv", "heterogeneity.csv", "pooled.csv"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["evidence.csv", "model.toml", "posterior.nc", "run.json", *tables]
    )
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert (folder / "evidence.csv").read_bytes() == own_table.read_bytes()
    models = Path(__file__).parents[3] / "models"
    assert (folder / "model.toml").read_bytes() == (models / "line-generation.toml").read_bytes()
    written = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert written | {"run": str(folder)} == json_run.document
    assert written["files"] == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "run.json"
    }
    assert written["command"].startswith("alkbayes ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", written["written"])
    assert {"alkbayes", "numpy", "nutpie", "pymc", "pytensor"} <= set(written["provenance"]["versions"])
    assert all(seconds > 0 for seconds in written["provenance"]["seconds"].values())


@pytest.mark.parametrize("name", ["pooled", "contrasts", "heterogeneity", "classical"])
def test_the_tables_on_disk_are_those_of_the_document(json_run, name: str) -> None:
    with (json_run.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records = json_run.document[name]
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert list(row) == [key for key in record if key != "notes"]
        for key in row:
            value = record[key]
            if isinstance(value, float | int):
                assert float(row[key]) == value
            else:
                assert row[key] == ("" if value is None else value)


def test_the_cohorts_on_disk_are_shrunk_towards_their_profile(json_run) -> None:
    with (json_run.folder / "cohorts.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["cohort_id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a-naive", "a-treated", "b", "c-naive", "c-treated", "d", "e", "f"]
    for row in rows.values():
        assert float(row["observed"]) == int(row["responders"]) / int(row["n"])
        assert 0 <= float(row["low"]) < float(row["median"]) < float(row["high"]) <= 1
        assert 0 < float(row["shrinkage"]) < 1
    odd = rows["d"]
    assert float(odd["observed"]) < float(odd["median"]) < float(odd["expected"])


OPEN_WITHOUT_US = """
import json, sys
import arviz as az
import xarray as xr

plain, arviz = xr.open_datatree(sys.argv[1]), az.from_netcdf(sys.argv[1])
assert not any(name.startswith("alkbayes") for name in sys.modules), "alkbayes was imported"
print(json.dumps([{
    "groups": sorted(tree.children),
    "dims": {str(name): list(values.dims) for name, values in tree["posterior"].data_vars.items()},
    "coords": {str(name): values.to_numpy().tolist() for name, values in tree["posterior"].coords.items()
               if name not in ("chain", "draw")},
    "shape": dict(tree["posterior"].sizes),
    "n": tree["constant_data"]["n"].sel(cohort="c-treated").item(),
    "p": float(tree["posterior"]["p"].sel(cohort="c-treated").mean()),
} for tree in (plain, arviz)]))
"""


def test_the_posterior_opens_in_xarray_and_arviz_without_this_package(json_run, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_WITHOUT_US, json_run.folder / "posterior.nc"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plain, arviz = json.loads(done.stdout)
    assert plain == arviz
    assert plain["groups"] == sorted(
        [
            "posterior",
            "sample_stats",
            "prior",
            "prior_predictive",
            "posterior_predictive",
            "log_likelihood",
            "log_prior",
            "observed_data",
            "constant_data",
            "estimands",
        ]
    )
    assert plain["coords"] == {
        "cohort": ["a-naive", "a-treated", "b", "c-naive", "c-treated", "d", "e", "f"],
        "trial": list("ABCDEF"),
        "line_contrast": ["pretreated"],
        "generation": ["first", "second"],
        "generation_contrast": plain["coords"]["generation_contrast"],
    }
    assert plain["dims"]["theta"] == ["chain", "draw", "cohort"]
    assert plain["dims"]["effect_generation"] == ["chain", "draw", "generation"]
    assert plain["dims"]["beta_line"] == ["chain", "draw", "line_contrast"]
    assert plain["dims"]["tau_trial"] == ["chain", "draw"]
    assert (plain["shape"]["chain"], plain["shape"]["draw"]) == (4, 1000)
    assert plain["n"] == 70
    with (json_run.folder / "cohorts.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["cohort_id"] == "c-treated"]
    assert plain["p"] == pytest.approx(float(row["mean"]), rel=1e-12)


def test_a_posterior_that_fails_its_gate_is_written_marked_and_refused(failed_run) -> None:
    result = failed_run.result
    assert result.exit_code == 6
    warning, error = result.stderr.splitlines()
    assert warning.startswith("warning: the posterior failed its convergence gate (")
    assert warning.endswith("Sampling once more, with target_accept 0.99 and 200 tuning steps.")
    assert error.startswith("error: the posterior did not converge: ")
    assert "ESS of " in error
    assert error.endswith(f"The results are in {failed_run.folder}, marked; do not use them.")
    assert "Posterior: NOT CONVERGED: DO NOT USE THESE NUMBERS." in result.stdout
    assert "  failed: " in result.stdout
    document = json.loads((failed_run.folder / "run.json").read_text(encoding="utf-8"))
    assert document["diagnostics"]["converged"] is False
    assert document["diagnostics"]["failures"]
    assert document["provenance"]["tries"] == 2
    assert document["provenance"]["first_failures"]
    assert document["provenance"]["settings"]["target_accept"] == pytest.approx(0.99)
    assert document["pooled"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seed", "-1"], 2, "error: --seed: found -1; allowed: 0 to 4,294,967,295."),
        (["--seed", "4294967296"], 2, "error: --seed: found 4294967296;"),
        (["--chains", "1"], 2, "(one chain cannot show that chains agree)"),
        (["--chains", "65"], 2, "error: --chains: found 65; allowed: 2 to 64."),
        (["--draws", "99"], 2, "error: --draws: found 99; allowed: 100 to 100,000."),
        (["--draws", "100001"], 2, "error: --draws: found 100001;"),
        (["--tune", "99"], 2, "error: --tune: found 99; allowed: 100 to 100,000."),
        (["--tune", "many"], 2, "--tune"),
        (["--no-such-option"], 2, "--no-such-option"),
        (["line", "generation"], 2, "generation"),
        (["no-such-model"], 4, "Models: sequence, "),
        (["missing.toml"], 4, "missing.toml"),
        (["--data", "missing.csv"], 3, "missing.csv"),
        (["--data", "bad.csv"], 3, "bad.csv, line 3"),
        (
            ["line", "--data", "plain.csv"],
            3,
            "no such column, only cohort_id, responders and n; allowed: a header with ",
        ),
        (
            ["--data", "table.csv", "--out", "taken"],
            7,
            "error: taken: a folder is there already; nothing is overwritten.",
        ),
        (["--data", "table.csv", "--out", "bad.csv"], 7, "error: bad.csv: a file is there already;"),
        (["--data", "table.csv", "--out", "dangling"], 7, "error: dangling: "),
        (["--data", "table.csv", "--out", "bad.csv/run"], 7, "bad.csv cannot be written to"),
    ],
)
def test_what_can_be_known_before_sampling_is_refused_before_it(
    alkbayes, own_table: Path, tmp_path: Path, monkeypatch, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "table.csv").write_bytes(own_table.read_bytes())
    (tmp_path / "bad.csv").write_text(
        "cohort_id,trial,line,regimen_class,responders,n\na,A,naive,first,1,2\nb,A,naive,first,9,2\n"
    )
    (tmp_path / "plain.csv").write_text("cohort_id,responders,n\na,1,2\nb,1,2\n")
    (tmp_path / "taken").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("alkbayes.inference.fit.fit_model", never)
    result = alkbayes("fit", *arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert sorted(tmp_path.iterdir()) == before
    assert list((tmp_path / "taken").iterdir()) == []


def never(*_: object, **__: object) -> None:
    raise AssertionError("it went on to sample")


def test_a_table_without_trials_has_one_heterogeneity_term(alkbayes, tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("cohort_id,responders,n\na,1,2\nb,1,2\n", encoding="utf-8")
    options = ("--engine", "quadrature", "--draws", "300", "--json")
    result = alkbayes("fit", "overall", "--data", path, "--out", tmp_path / "run", *options)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["evidence"]["trials"] is None
    assert [row["parameter"] for row in document["heterogeneity"] if row["parameter"].startswith("tau")] == [
        "tau_total"
    ]
    notes = " ".join(document["notes"])
    assert "The table names no trials: each cohort counts as a trial of its own." in notes
    assert "one heterogeneity term, tau_total, is fitted" in notes


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a place that nobody may write to, such as Linux has")
def test_a_place_that_cannot_be_written_to_is_found_before_sampling(alkbayes, own_table: Path, monkeypatch) -> None:
    monkeypatch.setattr("alkbayes.inference.fit.fit_model", never)
    result = alkbayes("fit", "--data", own_table, "--out", "/proc/alkbayes/run")
    assert result.exit_code == 7
    assert result.stderr.startswith("error: /proc/alkbayes/run: /proc cannot be written to (")


def sampling_process(own_table: Path, home: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a long fit, and return it with the terminal that it has for stderr."""
    terminal, other_end = pty.openpty()
    arguments = ["fit", "--data", own_table, "--out", home / "run", "--draws", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=other_end,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(other_end)
    return process, terminal


def read_until(terminal: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 65536)
    return shown


def read_rest(terminal: int) -> bytes:
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(terminal, 65536):
            shown += piece
    return shown


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_fit_that_is_stopped_while_it_samples_leaves_nothing(
    own_table: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process, terminal = sampling_process(own_table, tmp_path)
    try:
        shown = read_until(terminal, b"sampling")
        process.send_signal(number)
        rest = read_rest(terminal)
        stdout, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert b"compiling the model" in shown
    assert process.returncode == code
    assert stdout == b""
    assert list(tmp_path.iterdir()) == []
    assert b"Traceback" not in rest
    if number == signal.SIGINT:
        assert rest.decode().splitlines()[-1].endswith("interrupted: what was not finished is not kept")


def test_no_more_decimals_are_printed_than_monte_carlo_errors_support(alkbayes, text_run, failed_run) -> None:
    """A rate has a decimal as long as its errors are below 0.29 points, the error of rounding to whole ones."""
    whole = 0
    for run in (text_run, failed_run):
        text = alkbayes("summary", run.folder).stdout
        document = json.loads(alkbayes("summary", run.folder, "--json").stdout)
        for row in document["pooled"]:
            if row["estimand"] == "these_cohorts":
                continue
            errors = [row["mcse_low"], row["mcse_high"]]
            errors += [] if row["estimand"] == "next_cohort" else [row["mcse_median"]]
            coarse = 100 * max(errors) > 1 / 12**0.5
            whole += coarse
            digits = 0 if coarse else 1
            assert f" {100 * row['low']:.{digits}f}–{100 * row['high']:.{digits}f}" in text
    # The short run has errors too large for a decimal nearly everywhere.
    assert whole > 20
    assert "Whole percentages: the Monte Carlo error does not support a decimal; more draws would." in text


def test_a_name_that_another_fit_took_meanwhile_is_numbered(
    alkbayes, own_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    plain = runs.write_run

    def meanwhile(folder: Path, *arguments: Any, **options: Any) -> dict[str, Any]:
        if not taken:
            taken.append(folder)
            folder.mkdir(parents=True)
        return plain(folder, *arguments, **options)

    monkeypatch.setattr(runs, "write_run", meanwhile)
    monkeypatch.chdir(tmp_path)
    fit = ("fit", "overall", "--data", own_table, "--engine", "quadrature", "--draws", "500", "--json")
    result = alkbayes(*fit)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["run"] == f"{taken[0]}-2"
    assert runs.read_run(Path(f"{taken[0]}-2"))["model"] == "overall"
    # A folder that was asked for is not another one.
    taken.clear()
    result = alkbayes(*fit, "--out", "mine")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "mine: a folder is there already" in result.stderr
