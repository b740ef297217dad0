"""`alkbayes fit` with `--engine` and `--cross-check`, by real small runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

SMALL = ("--draws", "1000", "--tune", "500", "--seed", "7")


@pytest.fixture(scope="module")
def integrated(alkbayes: Any, own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("integrated") / "run"
    arguments = ("--data", own_table, "--out", folder, "--engine", "quadrature", "--json", *SMALL)
    return alkbayes("fit", *arguments), folder


def test_the_document_has_the_same_contract_and_says_how_it_was_made(integrated: Any, json_run: Any) -> None:
    result, folder = integrated
    assert result.exit_code == 0
    assert result.stderr == ""
    document, other = json.loads(result.stdout), json_run.document
    assert list(document) == list(other)
    for part in ("diagnostics", "provenance"):
        assert list(document[part]) == list(other[part])
    for part in ("pooled", "heterogeneity", "contrasts"):
        assert [list(row) for row in document[part]] == [list(row) for row in other[part]]
    assert document["classical"] == other["classical"]
    assert document["engine"] == "quadrature"
    found = document["diagnostics"]
    assert found["converged"]
    assert found["pareto_k"] <= 0.7
    assert found["importance_ess"] > 400
    assert found["divergences"] is found["ebfmi_min"] is None
    provenance = document["provenance"]
    assert (provenance["engine"], provenance["engine_asked"], provenance["fallback_reason"]) == (
        "quadrature",
        "quadrature",
        None,
    )
    assert provenance["weights"]["weighted"] == 6000
    assert provenance["weights"]["ess"] == found["importance_ess"]
    names = {"pareto_k", "ess", "weighted", "duplicates", "rounds", "components", "thin_share", "quadrature_error"}
    assert set(provenance["weights"]) == names
    assert provenance["weights"]["quadrature_error"] < 1e-4
    assert other["provenance"]["weights"] is None
    assert other["provenance"]["engine_asked"] == "nuts"
    assert document["run"] == str(folder)


def test_the_tree_has_the_same_groups_variables_and_coordinates(integrated: Any, json_run: Any) -> None:
    _, folder = integrated
    with (
        xr.open_datatree(folder / "posterior.nc", engine="netcdf4") as ours,
        xr.open_datatree(json_run.folder / "posterior.nc", engine="netcdf4") as other,
    ):
        assert set(ours.children) == set(other.children)
        for group in set(ours.children) - {"sample_stats"}:
            assert dict(ours[group].sizes) == dict(other[group].sizes)
            for name, values in ours[group].data_vars.items():
                assert values.dims == other[group][name].dims
                assert values.dtype == other[group][name].dtype
            for name, values in ours[group].coords.items():
                np.testing.assert_array_equal(values, other[group].coords[name])
        # What does not come from the engine is the same to the last bit.
        for group in ("prior", "prior_predictive", "observed_data", "constant_data"):
            xr.testing.assert_identical(ours[group].to_dataset(), other[group].to_dataset())
        assert set(ours["sample_stats"].data_vars) == {"lp", "log_weight", "proposal"}
        assert ours.attrs["inference_library"] == "alkbayes"


def test_the_numbers_are_near_those_of_chains(integrated: Any, json_run: Any) -> None:
    """Loosely: tests/estimates/test_cross_check.py does it in units of the Monte Carlo error."""
    rows = json.loads(integrated[0].stdout)["pooled"]
    for row, other in zip(rows, json_run.document["pooled"], strict=True):
        assert row["mean"] == pytest.approx(other["mean"], abs=0.2 * other["sd"])
        assert row["sd"] == pytest.approx(other["sd"], rel=0.1)


def test_it_is_printed_for_a_reader_and_printed_again(
    integrated: Any, alkbayes: Any, own_table: Path, tmp_path: Path
) -> None:
    result = alkbayes("fit", "--data", own_table, "--out", tmp_path / "run", "--engine", "quadrature", *SMALL)
    assert result.exit_code == 0
    verdict = next(line for line in result.stdout.splitlines() if line.startswith("Posterior: "))
    assert verdict.startswith(
        "Posterior: converged. 4,000 draws by quadrature and importance sampling, seed 7; Pareto k "
    )
    assert verdict.endswith("of those kept are duplicates")
    assert " of 6,000 weighted draws, " in verdict
    assert alkbayes("summary", tmp_path / "run").stdout == result.stdout
    assert alkbayes("summary", integrated[1], "--json").stdout == integrated[0].stdout


ONE_RATE = """
schema = 1
name = "one-rate"
question = "What is the response rate if it is one for all?"

[likelihood]
family = "binomial"
link = "logit"

[intercept]
prior = { dist = "normal", mean = 0.0, sd = 1.5 }
why = "a test"
"""


@pytest.fixture
def one_rate(tmp_path: Path) -> Path:
    """A model file that the quadrature engine does not cover: it has no standard deviation at all."""
    path = tmp_path / "one-rate.toml"
    path.write_text(ONE_RATE, encoding="utf-8")
    return path


def test_a_model_that_is_not_covered_is_sampled_and_says_so(
    alkbayes: Any, own_table: Path, one_rate: Path, tmp_path: Path
) -> None:
    arguments = (one_rate, "--data", own_table, "--out", tmp_path / "run", "--engine", "quadrature", *SMALL)
    result = alkbayes("fit", *arguments)
    reason = "the model has neither heterogeneity nor exchangeable effects, which the quadrature engine does not cover"
    assert result.exit_code == 0
    assert result.stderr == f"warning: model 'one-rate' is sampled by NUTS: {reason}.\n"
    assert f"Sampled by NUTS: {reason}." in result.stdout
    document = json.loads(alkbayes("summary", tmp_path / "run", "--json").stdout)
    assert document["engine"] == "nuts"
    assert document["provenance"]["engine_asked"] == "quadrature"
    assert document["provenance"]["fallback_reason"] == reason


def test_another_engine_is_a_usage_error(alkbayes: Any) -> None:
    result = alkbayes("fit", "--engine", "gibbs")
    assert result.exit_code == 2
    assert "quadrature" in result.output


def test_engines_that_agree(alkbayes: Any, own_table: Path, tmp_path: Path) -> None:
    result = alkbayes("fit", "--data", own_table, "--out", tmp_path / "run", "--cross-check", *SMALL)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    (verdict,) = [line for line in result.stdout.splitlines() if line.startswith("Cross-check: ")]
    assert verdict.startswith("Cross-check: the engines agree. Largest of 180 differences ")
    assert "Quadrature less NUTS, in units of the Monte Carlo error" in result.stdout
    document = json.loads(alkbayes("summary", tmp_path / "run", "--json").stdout)
    assert document["engine"] == "nuts"  # the engine that was asked for is the one that is kept
    found = document["cross_check"]
    assert found["faults"] == []
    assert found["largest"] < found["limit"]
    assert len(found["differences"]) == found["numbers"] == 5 * len(document["pooled"])
    kept = {(row["group"], row["level"], row["estimand"]): row for row in document["pooled"]}
    for row in found["differences"]:
        assert row["nuts"] == kept[row["group"], row["level"], row["estimand"]][row["statistic"]]


def test_engines_that_do_not_agree_exit_with_6_and_the_run_is_kept(
    alkbayes: Any, own_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alkbayes.estimates.cross_check.FALSE_ALARM", 0.999 * 180)  # a limit of next to nothing
    arguments = ("--data", own_table, "--out", tmp_path / "run", "--engine", "quadrature", "--cross-check", *SMALL)
    result = alkbayes("fit", *arguments, "--json")
    assert result.exit_code == 6
    assert result.stderr.startswith("error: the cross-check failed: ")
    assert "numbers differ by more than" in result.stderr
    document = json.loads(result.stdout)
    assert document["engine"] == "quadrature"
    assert document["cross_check"]["faults"]
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_fallback_is_no_cross_check(
    alkbayes: Any, own_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alkbayes.inference.importance.engine import Fallback

    monkeypatch.setattr("alkbayes.inference.fit.integrate", lambda *_, **__: Fallback("no weights"))
    result = alkbayes("fit", "--data", own_table, "--out", tmp_path / "run", "--cross-check", *SMALL, "--json")
    assert result.exit_code == 6
    assert "the cross-check failed: quadrature fell back to NUTS: no weights." in result.stderr
    document = json.loads(result.stdout)
    assert document["engine"] == "nuts"
    assert document["cross_check"] == {"faults": ["quadrature fell back to NUTS: no weights"]}
    again = alkbayes("summary", tmp_path / "run")
    assert again.exit_code == 6
    assert "Cross-check: FAILED: quadrature fell back to NUTS: no weights." in again.stdout
    assert "the cross-check of this run failed: quadrature fell back to NUTS: no weights." in again.stderr


def test_a_cross_check_of_a_model_that_one_engine_does_not_cover_is_a_usage_error(
    alkbayes: Any, own_table: Path, one_rate: Path, tmp_path: Path
) -> None:
    result = alkbayes("fit", one_rate, "--data", own_table, "--out", tmp_path / "run", "--cross-check")
    assert result.exit_code == 2
    assert "model 'one-rate' has neither heterogeneity nor exchangeable effects" in result.stderr
    assert not (tmp_path / "run").exists()


LOADED = """
import sys
sys.modules["sparse"] = None  # bambi needs it, and xarray imports it, and so numba, where it is installed
from alkbayes.cli import app
try:
    app()
except SystemExit as done:
    assert done.code == 0, done.code
heavy = {"pymc", "pytensor", "nutpie", "numba", "matplotlib"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_a_fit_by_quadrature_imports_nothing_that_samples_or_draws(own_table: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--data", own_table, "--out", tmp_path / "run", "--engine", "quadrature"]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert done.stderr == "[]\n"
    assert "Posterior: converged." in done.stdout
