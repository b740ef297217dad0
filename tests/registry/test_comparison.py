"""Against `alk_values`: what the registry shows for trials of our table, and how it differs, as found by hand."""

import pytest

from alkbayes.registry.comparison import Difference, Verdict, compare_folder
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.folder import Folder


@pytest.fixture
def found(reg: Folder, protocol: Protocol) -> dict[tuple[str, str], Difference]:
    """Differences from the bundled table, by cohort and figure."""
    return {(each.cohort_id or each.group_title, each.measure): each for each in compare_folder(reg, protocol)}


@pytest.mark.parametrize(
    ("cohort", "measure", "verdict"),
    [
        # 14 trials where a number of the registry meets a row of the table: nine agree exactly.
        ("ascend4-ceritinib", "orr", Verdict.SAME),
        ("ascend7-arm1", "orr", Verdict.SAME),
        ("ascend7-arm5", "orr", Verdict.SAME),
        ("lorla-china-cohort1", "orr", Verdict.SAME),
        ("lorla-china-cohort2", "orr", Verdict.SAME),
        ("lorla-ph4-post2g", "orr", Verdict.SAME),
        ("lorla-india-ph4", "orr", Verdict.SAME),
        ("profile1007-crizotinib", "pfs_median", Verdict.SAME),
        ("profile1014-crizotinib", "pfs_median", Verdict.SAME),
        ("profile1029-crizotinib", "pfs_median", Verdict.SAME),
        ("alta3-brigatinib", "pfs_median", Verdict.SAME),
        ("alta3-alectinib", "pfs_median", Verdict.SAME),
        ("ascend4-ceritinib", "pfs_median", Verdict.SAME),
        ("alta1l-brigatinib", "pfs_median", Verdict.SAME),
        # Four differ, by cut or assessor.
        ("ascend5-ceritinib", "orr", Verdict.SAME),
        ("ascend5-ceritinib", "pfs_median", Verdict.OTHER_CUT),
        ("alta1l-brigatinib", "orr", Verdict.OTHER_CUT),
        ("alta1l-crizotinib", "orr", Verdict.OTHER_CUT),
        ("alta1l-crizotinib", "pfs_median", Verdict.OTHER_CUT),
        ("alur-alectinib", "orr", Verdict.OTHER_ASSESSOR),
        ("alur-alectinib", "pfs_median", Verdict.OTHER_CUT),
        ("javelin-lung-101-lorlatinib-avelumab", "orr", Verdict.SAME),
        # 81.1 is survival: the PFS of alectinib is not there at all.
        ("alex-alectinib", "pfs_median", Verdict.ONLY_HERE),
        ("alex-crizotinib", "orr", Verdict.SAME),
        # The registry's cohorts are doses, the table's are histories.
        ("brig101-crizotinib-pretreated", "orr", Verdict.ONLY_HERE),
        ("crown-lorlatinib", "orr", Verdict.ONLY_HERE),
    ],
)
def test_a_figure_differs_as_was_found_by_hand(
    found: dict[tuple[str, str], Difference], cohort: str, measure: str, verdict: Verdict
) -> None:
    assert found[cohort, measure].verdict is verdict


def test_crossover_groups_are_no_news(found: dict[tuple[str, str], Difference]) -> None:
    assert ("Crizotinib to Brigatinib Crossover", "orr") not in found


def test_groups_that_the_table_has_not_are_candidates_for_new_rows(found: dict[tuple[str, str], Difference]) -> None:
    assert [found[f"Cohort {k}", "orr"].registry_value for k in "ABC"] == ["9/27", "1/4", "0/1"]
    assert found["Cohort A", "orr"].verdict is Verdict.ONLY_THERE


def test_a_row_without_a_record_says_why(found: dict[tuple[str, str], Difference]) -> None:
    assert found["alesia-crizotinib", "orr"].why == "no record in the folder"
    assert found["crown-lorlatinib", "orr"].why == "no results posted"


def test_nothing_is_overwritten(reg: Folder, protocol: Protocol) -> None:
    before = {path: path.read_bytes() for path in reg.path.rglob("*") if path.is_file()}
    compare_folder(reg, protocol)
    assert {path: path.read_bytes() for path in reg.path.rglob("*") if path.is_file()} == before


def test_other_denominators_and_contradictions(reg: Folder, protocol: Protocol) -> None:
    table = reg.path / "table.csv"
    header = "cohort_id,trial,registry_id,agent,assessor,n,responders,orr_reported,cutoff\n"
    rows = {
        "other n": "x,ASCEND-4,NCT01828099,ceritinib,irc,200,145,72.5,\n",
        "contradiction": "x,ASCEND-4,NCT01828099,ceritinib,irc,189,150,79.4,\n",
        "other assessor": "x,ASCEND-4,NCT01828099,ceritinib,investigator,189,140,74.1,\n",
    }
    for verdict, row in rows.items():
        table.write_text(header + row, encoding="utf-8")
        made = [
            each for each in compare_folder(reg, protocol, table) if each.cohort_id == "x" and each.measure == "orr"
        ]
        assert [str(each.verdict) for each in made] == [verdict]
