"""Judgements as people write them into tables, counted by hand; none is ever made up."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from alkbayes.appraisal.judgements import Appraisal, appraise, judgement_meant, reporting_quality, with_low_risk
from alkbayes.appraisal.tools import bundled_tool
from alkbayes.errors import EvidenceError
from alkbayes.evidence.table import Evidence, read_evidence

type Read = Callable[..., Evidence]

EXPECTED = [
    ("Low", "Low", "Low"),
    ("Serious", "Moderate", "Serious"),
    ("Low", None, "No information"),
    ("No information", "Critical", None),
    ("Moderate", "Low", "Low"),
]


def labels(found: Appraisal | None) -> list[tuple[str | None, ...]]:
    assert found is not None
    return [tuple(judged and judged.label for judged in row) for row in found.cells]


def test_judgements_are_those_of_the_table(judged: Read) -> None:
    found = appraise(judged())
    assert found is not None
    assert found.tool.name == "robins-i"
    assert [domain.name for domain in found.domains] == ["confounding", "missing_data", "overall"]
    assert (found.cohorts, found.patients) == (("a", "b", "c", "d", "e"), (20, 24, 36, 33, 47))
    assert labels(found) == EXPECTED


def test_shares_are_a_hand_count(judged: Read) -> None:
    found = appraise(judged())
    assert found is not None
    counted = [
        (share.judgement and share.judgement.label, share.cohorts, share.patients)
        for share in found.shares(found.domains[2])
    ]
    # a and e; b; c; d, of 160 patients.
    assert counted == [
        ("Low", 2, 67),
        ("Moderate", 0, 0),
        ("Serious", 1, 24),
        ("Critical", 0, 0),
        ("No information", 1, 36),
        (None, 1, 33),
    ]
    first = found.to_dict()["domains"][2]["shares"][0]
    assert (first["share_of_cohorts"], first["share_of_patients"]) == (2 / 5, 67 / 160)


def test_the_form_of_the_table_changes_nothing(judged: Read, tmp_path: Path) -> None:
    evidence = judged()
    frame = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    frame.to_csv(tmp_path / "semicolons.csv", sep=";", index=False)
    forms = [read_evidence(tmp_path / "t.xlsx"), read_evidence(tmp_path / "semicolons.csv"), read_evidence(frame)]
    assert [labels(appraise(form)) for form in forms] == 3 * [labels(appraise(evidence))] == 3 * [EXPECTED]


def test_what_is_printed_as_csv_is_read_again(judged: Read, tmp_path: Path) -> None:
    evidence = judged()
    found = appraise(evidence)
    assert found is not None
    rows = pd.DataFrame(found.rows()).rename(columns={each.name: f"rob_{each.name}" for each in found.domains})
    rows.assign(responders=evidence.frame["responders"]).to_csv(tmp_path / "again.csv", index=False)
    assert labels(appraise(read_evidence(tmp_path / "again.csv"))) == EXPECTED


def test_columns_may_have_other_names_and_cohorts_be_left_out(judged: Read, text: str, tmp_path: Path) -> None:
    judged(text.replace("rob_confounding", "D1").replace("rob_overall", "ROB Overall"))
    evidence = read_evidence(tmp_path / "t.csv", columns={"rob_confounding": "D1"})
    assert labels(appraise(evidence)) == EXPECTED
    some = appraise(evidence.part(pd.Series([1, 4]).to_numpy()))
    assert some is not None
    assert (some.cohorts, labels(some)) == (("b", "e"), [EXPECTED[1], EXPECTED[4]])
    assert labels(some.among(["e", "b"])) == [EXPECTED[4], EXPECTED[1]]


@pytest.mark.parametrize(
    ("tool", "cell", "label"),
    [
        ("robins-i", "M", "Moderate"),
        ("robins-i", " LOW  RISK ", "Low"),
        ("robins-i", "no info", "No information"),
        ("robins-i", "no risk", None),  # and not "No information"
        ("robins-i", "N", None),
        ("robins-i", "?", None),
        ("robins-i", "high", None),
        ("robins-i", "risk", None),
        ("jbi-case-series", "y", "Yes"),
        ("jbi-case-series", "no", "No"),
        ("jbi-case-series", "N", None),  # no, or not applicable
        ("jbi-case-series", "N/A", "Not applicable"),
        ("jbi-case-series", "NA", "Not applicable"),
        ("minors", "2", "Reported and adequate"),
        ("minors", "0.0", "Not reported"),
        ("minors", "reported", None),  # and adequate, or but inadequate
        ("minors", "3", None),
    ],
)
def test_other_spellings_are_taken_where_they_mean_one_judgement(tool: str, cell: str, label: str | None) -> None:
    found = judgement_meant(cell, bundled_tool(tool).judgement)
    assert (found and found.label) == label


def test_a_cell_that_is_no_judgement_is_refused_with_its_line(judged: Read, text: str) -> None:
    evidence = judged(text.replace("serious,Moderate risk of bias", "high,Serius"))
    with pytest.raises(EvidenceError) as refused:
        appraise(evidence)
    _, high, serius = str(refused.value).splitlines()
    assert 't.csv, line 3, cohort "b", column rob_confounding: found "high"; allowed: Low, Moderate, Serious, ' in high
    assert high.endswith("Critical, No information. Leave the cell empty if nobody judged it.")
    assert serius.endswith("Did you mean Serious?")


def test_an_answer_with_two_meanings_is_refused(judged: Read) -> None:
    evidence = judged("cohort_id,responders,n,rob_sampling\na,1,2,N\nb,1,2,NA\n")
    with pytest.raises(EvidenceError, match=r'"a".*found "N"; .* It may mean No and Not applicable: write which\.'):
        appraise(evidence)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("rob_confounding,rob_site", "found the column rob_site; allowed for ROBINS-I (robins-i): rob_confounding, "),
        ("rob_confoundng,rob_overal", "Did you mean rob_confounding and rob_overall?"),
        ("rob_1,rob_2", "found rob_1 and rob_2; allowed: rob_ and a domain of a tool (robins-i, jbi-case-series, "),
        ("rob_overall,x", "found only rob_overall, of several tools (robins-i, jbi-case-series, jbi-prevalence and"),
    ],
)
def test_columns_of_no_tool_or_of_several_are_refused(judged: Read, columns: str, message: str) -> None:
    evidence = judged(f"cohort_id,responders,n,{columns}\na,1,2,Low,Low\n")
    with pytest.raises(EvidenceError, match=re.escape(message)):
        appraise(evidence)


def test_a_domain_with_two_columns_is_refused(judged: Read) -> None:
    evidence = judged("cohort_id,responders,n,rob_overall,ROB_Overall\na,1,2,Low,Serious\n")
    with pytest.raises(EvidenceError, match="found a second column of"):
        appraise(evidence, bundled_tool("robins-i"))


def test_a_tool_that_is_named_settles_what_columns_do_not(judged: Read) -> None:
    evidence = judged("cohort_id,responders,n,rob_overall\na,1,2,High\nb,1,2,\n")
    found = appraise(evidence, bundled_tool("minors"))
    assert labels(found) == [("High",), (None,)]
    of_robins_i = appraise(judged("cohort_id,responders,n,rob_overall\na,1,2,L\n"), bundled_tool("robins-i"))
    assert of_robins_i is not None
    assert of_robins_i.meanings == ""
    with pytest.raises(EvidenceError, match='found "High"; allowed: Low, Moderate, Serious'):
        appraise(evidence, bundled_tool("robins-i"))


def test_low_risk_is_what_people_say_it_is(judged: Read, text: str) -> None:
    evidence = judged()
    assert with_low_risk(evidence, appraise(evidence)).low_risk == {"a", "e"}
    without = judged(text.replace("rob_overall", "overall"))
    assert with_low_risk(without, appraise(without)).low_risk is None
    robust = judged("cohort_id,responders,n,robust,robert\na,1,2,x,y\n")
    assert appraise(robust) is None
    assert with_low_risk(robust, None).low_risk is None


def test_reporting_quality_of_the_bundled_table_is_what_its_columns_say() -> None:
    evidence = read_evidence()
    assert appraise(evidence) is None
    found = reporting_quality(evidence)
    assert found is not None
    frame = evidence.frame
    words = {
        "Independent review": "irc",
        "Investigators": "investigator",
        "Confirmed": "yes",
        "Count printed": "stated",
    }
    words |= {"Evaluable patients alone": "evaluable", "Second-hand, interim or assumed": "low"}
    seen = 0
    for domain in found.domains:
        shares = found.shares(domain)
        assert sum(share.patients for share in shares) == evidence.patients
        for share in shares:
            assert share.judgement is not None
            if share.judgement.label in words:
                rows = frame[frame[domain.name] == words[share.judgement.label]]
                assert (share.cohorts, share.patients) == (len(rows), rows["n"].sum())
                seen += 1
    assert seen == len(words)


def test_reporting_quality_leaves_other_words_out(judged: Read) -> None:
    found = reporting_quality(judged("cohort_id,responders,n,assessor,certainty\na,1,2,BICR,moderate\nb,1,2,nobody,\n"))
    assert labels(found) == [("Independent review",), (None,)]
    assert reporting_quality(judged("cohort_id,responders,n,certainty\na,1,2,moderate\n")) is None
