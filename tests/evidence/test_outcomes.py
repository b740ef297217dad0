"""Other counts than responders and n: which cohorts have them, what is refused, and who reads them."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from alkbayes.errors import EvidenceError
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.model.design import build_design
from alkbayes.spec.schema import model_path, read_spec

BRAIN = Outcome("ic_responders", "ic_n", "intracranial ORR", "patients with measurable baseline CNS disease")
NEUTRAL = ("rate", "event", "events", "had the event")
HEADER = "cohort_id,responders,n,ic_responders,ic_n,line\n"
KEEP_EMPTY = "If a cohort does not say, leave both cells empty."


@pytest.fixture
def give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)

    def write(rows: str) -> Path:
        Path("trials.csv").write_text(HEADER + rows, encoding="utf-8")
        return Path("trials.csv")

    return write


def faults(path: Path, outcome: Outcome = BRAIN) -> list[str]:
    with pytest.raises(EvidenceError) as caught:
        read_evidence(path, needed=["line"], outcome=outcome)
    return [line.strip().removeprefix("trials.csv, ") for line in str(caught.value).splitlines()[1:]]


# what is read


def test_the_bundled_table_has_the_cohorts_that_its_columns_say() -> None:
    # Straight from the file, with nothing of the package.
    path = Path(__file__).parents[2] / "alkbayes" / "data" / "cohorts.csv"
    raw = pd.read_csv(path)
    kept = raw[raw["ic_n"].notna()]
    evidence = read_evidence(outcome=BRAIN)
    assert evidence.frame["cohort_id"].tolist() == kept["cohort_id"].tolist()
    assert evidence.frame["responders"].tolist() == kept["ic_responders"].astype(int).tolist()
    assert evidence.frame["n"].tolist() == kept["ic_n"].astype(int).tolist()
    assert (evidence.cohorts, evidence.patients, evidence.responders) == (20, 434, 239)
    assert evidence.sha256 == sha256(path.read_bytes()).hexdigest()
    assert evidence.content == path.read_bytes()
    rest = raw[raw["ic_n"].isna()]
    assert evidence.notes == (
        "Outcome: ic_responders of ic_n: patients with measurable baseline CNS disease.",
        (
            f"{len(rest)} of 66 cohorts do not report them and are left out; they have {rest['n'].sum():,} of the "
            "5,707 patients of the table."
        ),
    )


def test_the_usual_outcome_changes_nothing() -> None:
    plain, usual = read_evidence(), read_evidence(outcome=Outcome("responders", "n", "rate of response"))
    assert plain.outcome == ORR
    assert plain.notes == usual.notes == ()
    pd.testing.assert_frame_equal(plain.frame, usual.frame)


def test_a_cohort_with_empty_cells_or_without_such_patients_is_left_out_and_needs_no_level(
    give: Callable[[str], Path],
) -> None:
    rows = "a,1,9,1,3,naive\nb,1,9,,,\nc,1,9,0,0,\nd,1,9,,0,\ne,2,9,0,4,mixed\n"
    evidence = read_evidence(give(rows), needed=["line"], outcome=BRAIN)
    assert evidence.frame["cohort_id"].tolist() == ["a", "e"]
    assert evidence.frame[["responders", "n"]].to_numpy().tolist() == [[1, 3], [0, 4]]
    assert evidence.frame.index.tolist() == [0, 1]
    assert evidence.notes[1] == (
        "3 of 5 cohorts do not report them and are left out; they have 27 of the 45 patients of the table."
    )


def test_one_cohort_left_out_is_one(give: Callable[[str], Path]) -> None:
    evidence = read_evidence(give("a,1,9,1,3,naive\nb,1,9,,,\n"), outcome=BRAIN)
    assert evidence.notes[1].startswith("1 of 2 cohorts does not report them and is left out; it has 9 of the 18 ")


def test_every_cohort_with_the_outcome_leaves_nothing_to_say_of_others(give: Callable[[str], Path]) -> None:
    assert len(read_evidence(give("a,1,9,1,3,naive\n"), outcome=BRAIN).notes) == 1


def test_one_of_the_columns_may_be_a_usual_one(give: Callable[[str], Path]) -> None:
    evidence = read_evidence(give("a,1,9,4,,naive\nb,2,8,,,naive\n"), outcome=Outcome("ic_responders", "n"))
    assert evidence.frame[["cohort_id", "responders", "n"]].to_numpy().tolist() == [["a", 4, 9]]


# what is refused


def test_faults_of_the_counts_are_named_by_line_and_column(give: Callable[[str], Path]) -> None:
    rows = "a,1,9,1,,naive\nb,1,9,,3,naive\nc,1,9,4,3,naive\nd,1,9,NA,3,naive\ne,1,9,1,0,naive\nf,1,9,1,3.5,naive\n"
    swapped = "Check both counts, and that their columns are not swapped."
    decimals = "A count has no decimals. If the source gives only a rate, work the count out from it."
    both = f"or nothing in either. {KEEP_EMPTY}"
    where, found = zip(*(fault.split(": found ") for fault in faults(give(rows))), strict=True)
    columns = ("ic_n", "ic_responders", "ic_responders", "ic_responders", "ic_responders", "ic_n")
    places = zip("abcdef", columns, strict=True)
    assert where == tuple(f'line {at}, cohort "{row}", column {name}' for at, (row, name) in enumerate(places, start=2))
    assert found == (
        f"nothing; allowed: a whole number, as ic_responders has one, {both}",
        f"nothing; allowed: a whole number, as ic_n has one, {both}",
        f"4 responders among 3 patients; allowed: a whole number from 0 to 3. {swapped}",
        f'"NA"; allowed: a whole number, as ic_n has one, {both}',
        f"1 responders among 0 patients; allowed: a whole number from 0 to 0. {swapped}",
        f'"3.5"; allowed: a whole number of 1 or more. {decimals}',
    )


def test_a_cohort_with_the_outcome_needs_its_levels(give: Callable[[str], Path]) -> None:
    assert faults(give("a,1,9,1,3,\nb,1,9,,,naiv\nc,1,9,1,3,mixed\n")) == [
        (
            'line 2, cohort "a", column line: found nothing; allowed: naive, pretreated, mixed or a level of your own. '
            "The model needs it for each cohort."
        ),
        (
            'line 3, cohort "b", column line: found "naiv"; allowed: naive, pretreated, mixed. Write `naive`; levels '
            "of your own are allowed but must not resemble these."
        ),
    ]


def test_the_usual_counts_do_not_matter_where_others_are_counted(give: Callable[[str], Path], tmp_path: Path) -> None:
    evidence = read_evidence(give("a,,9,1,3,naive\nb,NR,x,2,4,naive\nc,1,9,,,naive\n"), outcome=BRAIN)
    assert evidence.frame[["cohort_id", "responders", "n"]].to_numpy().tolist() == [["a", 1, 3], ["b", 2, 4]]
    assert "1 of 3 cohorts does not report them and is left out." in evidence.notes
    bare = tmp_path / "bare.csv"
    bare.write_text("cohort_id,infections,catheters\na,0,116\nb,1,44\n", encoding="utf-8")
    counted = read_evidence(bare, outcome=Outcome("infections", "catheters")).frame
    assert counted[["responders", "n"]].to_numpy().tolist() == [[0, 116], [1, 44]]


def test_a_fault_of_a_usual_column_is_named_once(give: Callable[[str], Path]) -> None:
    (fault,) = faults(give("a,1,x,1,3,naive\n"), Outcome("ic_responders", "n"))
    assert "column n" in fault


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("cohort_id,responders,n\na,1,2\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="column ic_responders: found no such column") as caught:
        read_evidence(path, outcome=BRAIN)
    assert "column ic_n: found no such column" in str(caught.value)


def test_a_table_in_which_no_cohort_has_the_outcome_is_refused(give: Callable[[str], Path]) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_evidence(give("a,1,9,,,naive\n"), outcome=BRAIN)
    assert str(caught.value).startswith(
        "trials.csv: no cohort has numbers in the columns ic_responders and ic_n, which the model counts. "
    )


# who reads them


def test_a_model_says_what_it_counts() -> None:
    spec = read_spec(model_path("intracranial"))
    assert spec.outcome == BRAIN
    assert spec.outcome.title == "Intracranial ORR"
    assert read_spec(model_path("line-generation")).outcome == ORR
    evidence = read_evidence(needed=spec.columns, outcome=spec.outcome)
    assert build_design(spec, evidence).n.sum() == 434


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"responders": "responders", "n": "n"}, ORR),
        ({"responders": "a", "n": "b"}, Outcome("a", "b", "a / b", "patients counted in b", *NEUTRAL)),
        (
            {"responders": "a", "n": "b", "label": "DCR", "patients": "all treated patients"},
            Outcome("a", "b", "DCR", "all treated patients", *NEUTRAL),
        ),
        (
            {"responders": "responders", "n": "n", "label": "infection rate", "patients": "catheters"},
            Outcome("responders", "n", "infection rate", "catheters", *NEUTRAL, unit="catheter", units="catheters"),
        ),
        (
            {"responders": "a", "n": "b", "events": "infections", "had": "were infected", "units": "people"},
            Outcome(
                *("a", "b", "a / b", "patients counted in b", "rate", "infection", "infections", "were infected"),
                *("people", "people"),
            ),
        ),
    ],
)
def test_what_a_model_file_leaves_out_is_neutral(
    table: dict[str, str], expected: Outcome, spec_of: Callable[..., Any]
) -> None:
    assert spec_of(outcome=table).outcome == expected


def test_nouns_of_other_outcomes_than_a_response() -> None:
    infections = Outcome("a", "b", "infection rate", "catheters", "rate", "infection", "infections", "were infected")
    infections = replace(infections, unit="catheter", units="catheters")
    assert (infections.rate, infections.response, infections.responses) == ("infection rate", "infection", "infections")
    assert (infections.others, infections.who) == ("other catheters", "which")
    assert (infections.events_of(1), infections.events_of(1200)) == ("1 infection", "1,200 infections")
    assert (infections.units_of(1), infections.units_of(0)) == ("1 catheter", "0 catheters")
    assert "different trials, catheters and years" in infections.not_randomised(2)
    assert (ORR.rate, ORR.response, ORR.responses) == ("response rate", "response", "responses")
    assert (ORR.others, ORR.who) == ("non-responders", "who")


def test_alternatives_about_the_usual_counts_say_nothing_of_others() -> None:
    from alkbayes.sensitivity_analysis.alternatives import BY_NAME, apply
    from alkbayes.sensitivity_analysis.edits import Inapplicable

    spec = read_spec(model_path("intracranial"))
    evidence: Evidence = read_evidence(needed=spec.columns, outcome=spec.outcome)
    for name in ("independent review", "confirmed responses", "stated counts"):
        found = apply(BY_NAME[name], spec, evidence)
        assert isinstance(found, Inapplicable)
        assert "is about responders and n, which the model does not count" in found.reason
    assert not isinstance(apply(BY_NAME["effect SD 0.25"], spec, evidence), Inapplicable)
