"""What a project has beside its code: the files say the same as pyproject.toml."""

import json
import re
import tomllib
from pathlib import Path

from alkbayes import __version__
from alkbayes.errors import AlkbayesError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"] | {"version": __version__}


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [PROJECT["version"]]
    assert re.findall(r"^license: (.*)$", citation, re.MULTILINE) == [PROJECT["license"]]


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == PROJECT["version"]


def classes(root: type[AlkbayesError]) -> list[type[AlkbayesError]]:
    return [root, *(found for each in root.__subclasses__() for found in classes(each))]


def test_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert {each.exit_code for each in classes(AlkbayesError)} | {0, 130} == documented
    # The classes named are those with a code of their own; a subclass shares its parent's.
    for each in AlkbayesError.__subclasses__():
        assert re.search(rf"^\| {each.exit_code} \|.*`{each.__name__}`", page, re.MULTILINE), each


def test_the_coverage_that_the_explanation_quotes_is_recorded() -> None:
    page = (ROOT / "docs" / "explanation" / "calibration.md").read_text(encoding="utf-8")
    studies = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (ROOT / "validation" / "sbc").glob("*/summary.json")
    }
    found = {
        (name, row["method"], row["estimand"]): f"{100 * row['coverage']:.1f}"
        for name, study in studies.items()
        for row in study["coverage"]
        if row["level"] == "all"
    }
    methods = {
        "summed counts, Wilson": "crude-wilson",
        "REML on logits, Hartung-Knapp": "reml-logit-hk",
        "binomial-normal model (GLMM)": "glmm-ml",
        "posterior": "posterior",
    }
    rows = re.findall(r"^\| ([^|]+) \| (typical|mean|next cohort) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for method, estimand, coverage in rows:
        assert coverage == found["bundled-quadrature", methods[method], estimand.replace(" ", "_")]
    small = [found["eight-patients-quadrature", method, "typical"] for method in ("reml-logit-hk", "glmm-ml")]
    assert f"REML on logits covers {small[0]} %" in page
    assert f"covers {small[1]} % there" in page
    assert f"{sum(study['replications'] for study in studies.values()):,} simulated tables" in page
