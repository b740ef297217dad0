"""Scripts for other software: the same numbers there, no code from a table, and a refusal of what cannot be said."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from alkbayes.cli import app
from alkbayes.errors import UsageError
from alkbayes.evidence.table import read_evidence
from alkbayes.model.design import build_design
from alkbayes.reporting.scripts.literals import comment, r_literal
from alkbayes.reporting.scripts.script import script_for
from alkbayes.reporting.scripts.targets import Target, check_expressible
from alkbayes.runs.run import read_run
from alkbayes.spec.schema import parse_spec

type Fit = Callable[..., Path]

RSCRIPT = shutil.which("Rscript")
BAYESIAN = (Target.BRMS, Target.RBEST, Target.PYMC, Target.BAMBI)

CHANCE = 5.0
"""Largest difference in Monte Carlo standard errors: of 100 independent numbers one exceeds it once in 17,000 times."""
OPTIMISER = 1e-4
"""Largest difference of a rate or tau2 where lme4 maximises the likelihood, whose optimiser stops a little early: 8e-6
over all groups of the bundled table."""

ONE_LEVEL = """
[[heterogeneity]]
column = "cohort_id"
distribution = "normal"
sd_prior = { dist = "half_normal", sd = 0.8 }
why = "a test"
"""
TRIALS = ONE_LEVEL.replace("cohort_id", "trial").replace("half_normal", "exponential").replace("sd = 0.8", "mean = 0.4")
FIXED = """
[[effect]]
column = "line"
kind = "fixed"
reference = "naive"
prior = { dist = "normal", mean = 0.0, sd = 1.0 }
why = "an odds ratio between 1/7 and 7"
"""
AGE = """
[[effect]]
column = "age"
kind = "numeric"
centre = 55.0
scale = 10.0
step = "per 10 years"
prior = { dist = "student_t", nu = 5.0, mean = 0.0, sd = 0.5 }
why = "ten years: an odds ratio between 1/3 and 3"

[[effect]]
column = ["line", "age"]
kind = "interaction"
prior = { dist = "normal", mean = 0.0, sd = 0.3 }
why = "smaller than a main effect"
"""
GENERATION = """
[[effect]]
column = "regimen_class"
kind = "exchangeable"
sd_prior = { dist = "half_student_t", nu = 3.0, sd = 0.5 }
why = "a test"
"""
CELLS = """
[[effect]]
column = ["line", "regimen_class"]
kind = "exchangeable"
sd_prior = { dist = "half_normal", sd = 0.25 }
why = "a test"
"""
STUDENT = ONE_LEVEL.replace('"normal"', '"student_t"\nnu = 4.0')
EXNEX = ONE_LEVEL.replace(
    '"normal"', '"exnex"\nexchangeable = 0.5\nnex_prior = { dist = "normal", mean = 0.0, sd = 1.0 }'
)
BY = ONE_LEVEL + 'by = "line"\nspread_prior = { dist = "half_normal", sd = 0.5 }\n'
LOGIT = 'family = "binomial"\nlink = "logit"'
BETA = 'family = "beta_binomial"\nlink = "logit"\nrho_prior = { dist = "beta", a = 1.0, b = 9.0 }\nwhy = "a test"'


def model(*parts: str, likelihood: str = LOGIT, question: str = "How many respond?") -> str:
    return "\n".join(
        [
            f"schema = 1\nname = 'of-a-test'\nquestion = '''{question}'''\n[likelihood]\n{likelihood}",
            '[intercept]\nprior = { dist = "normal", mean = 0.2, sd = 1.5 }\nwhy = "a test"',
            *parts,
        ]
    )


@pytest.fixture(scope="module")
def aged(own_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table with ages."""
    path = tmp_path_factory.mktemp("aged") / "aged.csv"
    pd.read_csv(own_table).assign(age=[52, 61.5, 60, 45, 58, 66, 49, 63]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fit(aged: Path, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """Fit a model by quadrature: no chains, so that only the other software has any."""

    def fitted(text: str, *options: str | Path, data: Path = aged) -> Path:
        place = tmp_path_factory.mktemp("run")
        (place / "model.toml").write_text(text, encoding="utf-8")
        asked = ("--engine", "quadrature", "--draws", "1000", "--no-check", "--out", place / "run")
        words = ["fit", place / "model.toml", "--data", data, *asked, *options]
        result = CliRunner().invoke(app, list(map(str, words)))
        assert result.exit_code == 0, result.output
        return place / "run"

    return fitted


def in_r(code: str, folder: Path, *, package: str = "base") -> str:
    """Run R; skip where it or the package is missing."""
    if RSCRIPT is None:
        pytest.skip("R is not installed")
    there = [RSCRIPT, "-e", f"cat(requireNamespace('{package}', quietly = TRUE))"]
    if subprocess.run(there, capture_output=True, text=True, check=False).stdout != "TRUE":
        pytest.skip(f"{package} is not installed in R")
    (folder / "code.R").write_text(code, encoding="utf-8")
    done = subprocess.run([RSCRIPT, "code.R"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_python(code: str, folder: Path) -> str:
    (folder / "code.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "code.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def data_of(script: str) -> str:
    """Return the part of a script of R with the data."""
    return re.search(r"^d <- read\.csv.*?^  colClasses.*?\)\)$", script, re.MULTILINE | re.DOTALL).group()


def check_classical(out: str, rows: int) -> None:
    lines = out.splitlines()
    found = {words[2]: float(words[4]) for words in map(str.split, lines) if words[:2] == ["Largest", "difference,"]}
    assert found.keys() == {"crude-wilson", "reml-logit-hk-adhoc", "glmm-ml"}
    assert found["crude-wilson"] < 1e-8  # the numbers have nine digits
    assert found["reml-logit-hk-adhoc"] < 1e-6  # both stop at a score of 1e-12 or less
    assert found["glmm-ml"] < OPTIMISER
    assert sum(" run " in line for line in lines) == rows


def check_posterior(out: str, folder: Path) -> None:
    """Check that all was compared, and that no number is farther from the run's than chance takes it."""
    document = read_run(folder)
    single = [row for row in document["pooled"] if row["second_column"] is None and row["estimand"] == "mean"]
    (count, largest) = re.search(r"Largest difference of (\d+) numbers: ([\d.]+) Monte Carlo", out).groups()
    assert int(count) >= 3 * 3 * len(single)
    assert float(largest) < CHANCE
    run = {row["level"]: row for row in single}
    for level, row in run.items():
        name = "all" if level == "all" else f"{row['group']} {level}"
        said = re.search(rf"^{re.escape(name)} +mean +([\d.]+) .* run ([\d.]+) ", out, re.MULTILINE)
        assert float(said.group(2)) == pytest.approx(row["median"], abs=6e-4)
        assert float(said.group(1)) == pytest.approx(row["median"], abs=0.01)


def test_metafor_gives_the_classical_results(fit: Fit, tmp_path: Path) -> None:
    folder = fit(model(FIXED, GENERATION, CELLS, ONE_LEVEL), "--exclude", "b", "--reason", "a test", "--level", "0.9")
    script = script_for(folder, Target.METAFOR)
    assert "\nb,B," not in script
    comparable = [row for row in read_run(folder)["classical"] if row["k"] > 1 or row["method"] == "crude-wilson"]
    check_classical(in_r(script, tmp_path, package="metafor"), len(comparable))


META = """
library(metafor)
metaprop <- function(event, n, studlab, data, method, sm, method.tau, method.random.ci, adhoc.hakn.ci, level.ma,
                     control, nAGQ) {
  stopifnot(sm == "PLOGIT")
  data$e <- data[[deparse(substitute(event))]]; data$m <- data[[deparse(substitute(n))]]
  fit <- if (method == "GLMM") {
    stopifnot(method.tau == "ML", method.random.ci == "classic")
    rma.glmm(measure = "PLO", xi = e, ni = m, data = data, level = 100 * level.ma, nAGQ = nAGQ)
  } else {
    stopifnot(method == "Inverse", method.tau == "REML", method.random.ci == "HK", adhoc.hakn.ci == "se")
    rma(measure = "PLO", xi = e, ni = m, data = data, test = "adhoc", level = 100 * level.ma,
        control = list(threshold = 1e-12))
  }
  list(TE.random = fit$beta[1], lower.random = fit$ci.lb, upper.random = fit$ci.ub, tau2 = fit$tau2)
}
"""
"""metaprop() as meta documents its arguments and values, by metafor, which it calls itself for the binomial model."""


def test_meta_is_called_by_its_documented_arguments(fit: Fit, tmp_path: Path) -> None:
    """Meta itself is in no distribution of the machines that test this."""
    folder = fit(model(FIXED, ONE_LEVEL))
    script = script_for(folder, Target.META)
    assert script.count("library(meta)\n") == 1
    check_classical(in_r(script.replace("library(meta)\n", META), tmp_path, package="metafor"), 9)


GMAP = """
gMAP <- function(formula, family, data, tau.dist, tau.prior, beta.prior, chains, iter, warmup, thin) {
  stopifnot(identical(family, binomial), tau.dist == "Exp", all.equal(tau.prior, cbind(2.5, 0)))
  stopifnot(all.equal(beta.prior, rbind(c(0.2, 1.5), c(0, 1)), check.attributes = FALSE))
  stopifnot(deparse(formula) == "cbind(responders, n - responders) ~ 1 + line_pretreated | trial")
  stopifnot(nrow(model.frame(~ line_pretreated + trial + responders + n, data)) == 8)
  as.matrix(read.csv("draws.csv", check.names = FALSE))
}
"""
"""gMAP() as RBesT documents its arguments; the draws are the run's own, by the names that as.matrix() gives them."""


def test_rbest_is_called_by_its_documented_arguments(fit: Fit, tmp_path: Path) -> None:
    """So that all but the sampling runs: RBesT itself is in no distribution of the machines that test this."""
    import xarray as xr

    folder = fit(model(FIXED, TRIALS))
    with xr.open_datatree(folder / "posterior.nc", engine="netcdf4") as tree:
        draws = tree["posterior"]
        columns = {"beta[1]": draws["alpha"], "beta[2]": draws["beta_line"][..., 0], "tau[1]": draws["tau_trial"]}
        pd.DataFrame({name: of.to_numpy().ravel() for name, of in columns.items()}).to_csv(
            tmp_path / "draws.csv", index=False
        )
    script = script_for(folder, Target.RBEST)
    out = in_r(script.replace("library(RBesT)\n", GMAP), tmp_path, package="posterior")
    check_posterior(out, folder)
    # The same draws: rates that need no new random numbers are the same, to the three digits printed.
    for line in out.splitlines():
        if " typical " in line or " mean " in line:
            here, run = re.search(r"(0\.\d+ \(.*?\)) +run (.*?)   apart", line).groups()
            assert here == run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "parts", "options"),
    [
        (Target.BAMBI, {"parts": (FIXED, AGE, TRIALS, ONE_LEVEL)}, ()),
        (Target.BAMBI, {"parts": (FIXED,), "likelihood": LOGIT.replace("logit", "cloglog")}, ()),
        (Target.PYMC, {"parts": (FIXED, GENERATION, CELLS, TRIALS, ONE_LEVEL)}, ("--standard", "same")),
        (Target.PYMC, {"parts": (FIXED, STUDENT), "likelihood": LOGIT.replace("logit", "probit")}, ()),
        (Target.PYMC, {"parts": (AGE.replace(AGE[AGE.index("\n\n") :], ""), TRIALS), "likelihood": BETA}, ()),
    ],
    ids=["bambi", "bambi-cloglog", "pymc", "pymc-student-t", "pymc-beta-binomial"],
)
def test_python_gives_the_same_posterior(
    fit: Fit, tmp_path: Path, target: Target, parts: dict, options: tuple[str, ...]
) -> None:
    folder = fit(model(*parts["parts"], likelihood=parts.get("likelihood", LOGIT)), *options)
    check_posterior(in_python(script_for(folder, target), tmp_path), folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "link", "options"),
    [
        ((FIXED, GENERATION, CELLS, TRIALS, ONE_LEVEL), "logit", ("--standard", "same")),
        ((FIXED, AGE, ONE_LEVEL), "probit", ()),
    ],
    ids=["sums-to-zero", "numbers"],
)
def test_brms_gives_the_same_posterior(
    fit: Fit, tmp_path: Path, parts: tuple[str, ...], link: str, options: tuple[str, ...]
) -> None:
    folder = fit(model(*parts, likelihood=LOGIT.replace("logit", link)), *options)
    # Debian's package of Boost for R is empty, and the headers are the system's.
    boost = 'if (system.file("include", package = "BH") == "") rstan::rstan_options(boost_lib = "/usr/include")\n'
    out = in_r(boost + script_for(folder, Target.BRMS), tmp_path, package="brms")
    check_posterior(out, folder)


HOSTILE = [
    "it's",
    'a "quoted" one',
    "back\\slash\\",
    "'); system('touch harm'); ('",
    '"); import os; os.system("touch harm"); ("',
    "Grün, 癌 \U0001f9ea",
    "# comment",
    "TRUE",
    "007",
    "{{ 7 * 7 }}{% raw %}",
    "two\nlines",
]


@pytest.fixture(scope="module")
def hostile(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which everything that a user can write tries to be code."""
    table = tmp_path_factory.mktemp("hostile") / "t.csv"
    pd.DataFrame(
        {
            "cohort_id": [*HOSTILE, "none of it"],
            "trial": [*HOSTILE[::-1], "other"],
            "my 'line'": [HOSTILE[0], HOSTILE[3], HOSTILE[4]] * 3 + [HOSTILE[2]] * 3,
            "n": range(20, 44, 2),
            "responders": range(8, 20),
        }
    ).to_csv(table, index=False)
    effect = FIXED.replace('"line"', "\"my 'line'\"").replace('"naive"', '"it\'s"')
    question = 'What "now"?\u2028system("touch harm")\x0cimport os'
    text = model(effect, ONE_LEVEL, question="QUESTION").replace("'''QUESTION'''", repr_toml(question))
    return fit(text, "--exclude", "none of it", "--reason", "no reason\nsystem('touch harm')", data=table)


def repr_toml(text: str) -> str:
    escaped = "".join(f"\\u{ord(mark):04x}" if mark in '"\\' or not mark.isprintable() else mark for mark in text)
    return f'"{escaped}"'


@pytest.mark.parametrize("target", Target)
def test_nothing_in_a_table_or_a_model_becomes_code(hostile: Path, tmp_path: Path, target: Target) -> None:
    script = script_for(hostile, target)
    rows = [(name, responders, n) for name, responders, n in zip(HOSTILE, range(8, 19), range(20, 42, 2), strict=True)]
    head = script.split("library(" if target.is_r else "import arviz")[0]
    # No line ends inside a comment, by the reading of any program.
    assert all(line.startswith("#") or not line.strip() for line in head.splitlines())
    if target.is_r:
        (tmp_path / "script.R").write_text(script, encoding="utf-8")
        assert in_r("cat(length(parse('script.R')) > 5)", tmp_path) == "TRUE"
        ask = "for (i in seq_len(nrow(d))) cat(d$responders[i], d$n[i], utf8ToInt(enc2utf8(d$cohort[i])), '\\n')"
        told = [
            [int(word) for word in line.split()] for line in in_r(f"{data_of(script)}\n{ask}", tmp_path).splitlines()
        ]
        assert [("".join(map(chr, name)), responders, n) for responders, n, *name in told] == rows
    else:
        (table,) = (
            node.value
            for node in ast.parse(script).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "d"
        )
        frame = eval(ast.unparse(table), {"pd": pd})  # noqa: S307 - of the tree that was looked at
        assert list(frame[["cohort", "responders", "n"]].itertuples(index=False, name=None)) == rows
    assert not (tmp_path / "harm").exists()


def test_metafor_runs_with_hostile_names(hostile: Path, tmp_path: Path) -> None:
    out = in_r(script_for(hostile, Target.METAFOR), tmp_path, package="metafor")
    assert out.count("Largest difference") == 3
    assert not (tmp_path / "harm").exists()


def test_texts_come_back_from_r(tmp_path: Path) -> None:
    texts = [*HOSTILE, "tab\there", "\x1b[31m"]
    code = "".join(f"cat(utf8ToInt({r_literal(text)}), '\\n')\n" for text in texts)
    out = in_r(code, tmp_path)
    assert [[int(word) for word in line.split()] for line in out.splitlines()] == [[*map(ord, text)] for text in texts]


def test_a_comment_is_one_whatever_ends_a_line() -> None:
    text = comment("a\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h\x00i\x1b", 2)
    assert text == "#   a b c d e f g h i"


@pytest.mark.parametrize(
    ("target", "parts", "likelihood", "named", "instead"),
    [
        (Target.BAMBI, (FIXED, GENERATION, ONE_LEVEL), LOGIT, "sum to zero (generation)", "brms and pymc can."),
        (
            Target.RBEST,
            (GENERATION, TRIALS, ONE_LEVEL),
            LOGIT,
            "exchangeable effects that sum to zero (generation) and two levels of heterogeneity",
            "brms and pymc can.",
        ),
        (Target.RBEST, (TRIALS, ONE_LEVEL), LOGIT, "two levels of heterogeneity", "brms, pymc and bambi can."),
        (Target.RBEST, (), LOGIT, "no heterogeneity", "brms, pymc and bambi can."),
        (
            Target.RBEST,
            (ONE_LEVEL,),
            LOGIT.replace("logit", "probit"),
            "the link probit",
            "brms, pymc and bambi can.",
        ),
        (Target.RBEST, (FIXED, AGE, ONE_LEVEL), LOGIT, "a Student t prior", "brms, pymc and bambi can."),
        (Target.BRMS, (STUDENT,), LOGIT, "Student t heterogeneity", "Scripts for pymc can."),
        (Target.BRMS, (TRIALS,), BETA, "a beta-binomial likelihood", "Scripts for pymc can."),
        (Target.PYMC, (EXNEX,), LOGIT, "(EXNEX)", "No script can; metafor and meta"),
        (Target.BRMS, (BY,), LOGIT, "differs by level (by)", "No script can; metafor and meta"),
    ],
)
def test_what_cannot_be_expressed_is_refused(
    aged: Path, target: Target, parts: tuple[str, ...], likelihood: str, named: str, instead: str
) -> None:
    spec = parse_spec(tomllib.loads(model(*parts, likelihood=likelihood)), source="made up")
    fitted = SimpleNamespace(spec=spec, design=build_design(spec, read_evidence(aged, needed=spec.needed)))
    with pytest.raises(UsageError) as caught:
        check_expressible(fitted, target)
    assert named in str(caught.value)
    assert instead in str(caught.value)
    # The classical results are of the counts.
    check_expressible(fitted, Target.METAFOR)


@pytest.mark.parametrize("target", Target)
def test_a_script_is_code_of_its_language(fit: Fit, tmp_path: Path, target: Target) -> None:
    script = script_for(fit(model(FIXED, ONE_LEVEL)), target)
    assert not re.search(r"[{}%]{2}(?!in)", script.replace("%*%", "").replace("}}", "}"))
    if target.is_r:
        (tmp_path / "script.R").write_text(script, encoding="utf-8")
        assert in_r("cat(length(parse('script.R')) > 5)", tmp_path) == "TRUE"
    else:
        compile(script, "script.py", "exec")
