"""The pooled table: groups, levels, order, what is left out, what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alkbayes.classical.pooling.methods import DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.tables import POOL_COLUMNS, pool_table
from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.table import Evidence, read_evidence

type Maker = Callable[..., Evidence]
REML = [PoolingMethod.REML_LOGIT_HK]


def test_the_bundled_crude_rates(bundled: Evidence) -> None:
    pooled = pool_table(bundled, methods=[PoolingMethod.CRUDE_WALD]).set_index(["group", "level"])
    counts = pooled.loc[("all", "all")]
    assert (counts["k"], counts["responders"], counts["patients"]) == (66, 3436, 5707)
    rates = (100 * pooled["estimate"]).round(1)
    assert rates[("all", "all")] == 60.2
    assert [rates[("line", level)] for level in ("naive", "pretreated", "mixed")] == [76.4, 49.9, 64.6]


def test_default_groups_levels_methods_and_columns(bundled: Evidence) -> None:
    pooled = pool_table(bundled)
    assert list(pooled.columns) == list(POOL_COLUMNS)
    assert list(dict.fromkeys(zip(pooled["group"], pooled["level"], strict=True))) == [
        ("all", "all"),
        ("line", "naive"),
        ("line", "pretreated"),
        ("line", "mixed"),
        ("generation", "first"),
        ("generation", "second"),
        ("generation", "third"),
        ("generation", "combination"),
        ("generation", "experimental"),
    ]
    assert list(pooled["method"]) == list(DEFAULT_METHODS) * 9
    totals = pooled.drop_duplicates(["group", "level"]).groupby("group")[["k", "patients", "responders"]].sum()
    assert (totals == totals.loc["all"]).all(axis=None)


def test_rows_are_those_of_pool(bundled: Evidence) -> None:
    naive = bundled.frame[bundled.frame["line"] == "naive"]
    row = pool_table(bundled, methods=REML).set_index(["group", "level"]).loc[("line", "naive")]
    alone = pool(naive["responders"], naive["n"], method=REML[0])
    for name in ("estimate", "low", "prediction_high", "tau2", "q_df"):
        assert row[name] == getattr(alone, name)


def test_a_pair_of_columns_gives_its_cells_in_order(bundled: Evidence) -> None:
    pooled = pool_table(bundled, by=[("line", "regimen_class")], methods=REML)
    assert list(dict.fromkeys(pooled["group"])) == ["all", "line:generation"]
    cells = pooled.loc[pooled["group"] == "line:generation"]
    assert list(cells["level"])[:3] == ["naive:first", "naive:second", "naive:third"]
    assert cells["k"].min() >= 1
    assert cells["k"].sum() == 66
    assert len(cells) < 15


def test_columns_that_a_table_lacks_are_skipped_unless_asked_for(table: Maker) -> None:
    evidence = table(("a", 3, 9), ("b", 4, 8), line=["naive", "mixed"])
    assert list(dict.fromkeys(pool_table(evidence, methods=REML)["group"])) == ["all", "line"]
    with pytest.raises(EvidenceError) as caught:
        pool_table(evidence, by=["regimen_class", ("line", "agent")])
    assert str(caught.value) == (
        "The evidence table has no column regimen_class, agent to group by. Its columns: cohort_id, line."
    )


def test_counts_are_nothing_to_group_by(table: Maker) -> None:
    with pytest.raises(UsageError, match="n cannot be grouped by: that is what is pooled"):
        pool_table(table(("a", 3, 9)), by=["n"])


def test_cohorts_without_a_value_are_left_out_and_counted(table: Maker) -> None:
    evidence = table(("a", 3, 9), ("b", 4, 8), ("c", 1, 8), region=["x", "", "x"])
    pooled = pool_table(evidence, by=["region"], methods=REML)
    assert list(pooled["level"]) == ["all", "x"]
    assert list(pooled["k"]) == [3, 2]
    assert "1 of 3 cohorts has no region" in pooled["note"].iloc[1]
    assert "have no region" not in pooled["note"].iloc[0]


def test_a_column_that_is_empty_throughout_is_refused(table: Maker) -> None:
    with pytest.raises(EvidenceError, match="No cohort of the evidence table has a region"):
        pool_table(table(("a", 3, 9), region=[""]), by=["region"])


def test_two_columns_of_one_name_in_results_are_refused(table: Maker) -> None:
    evidence = table(("a", 3, 9), prior_alk_tki=["none"], prior_tki=["none"])
    with pytest.raises(UsageError, match="prior_alk_tki and prior_tki are both called prior_tki"):
        pool_table(evidence, by=["prior_alk_tki", "prior_tki"])


def test_a_pair_of_the_same_column_is_refused(bundled: Evidence) -> None:
    with pytest.raises(UsageError, match="line:line names one column twice"):
        pool_table(bundled, by=[("line", "line")])


def test_the_order_of_the_cohorts_does_not_matter(table: Maker) -> None:
    rows = [("a", 3, 9), ("b", 14, 18), ("c", 0, 8), ("d", 30, 41)]
    lines = ["mixed", "naive", "naive", "mixed"]
    forth = pool_table(table(*rows, line=lines))
    back = pool_table(table(*reversed(rows), line=lines[::-1]))
    assert list(forth["level"]) == list(back["level"])
    for column in ("estimate", "low", "prediction_high", "q"):
        assert back[column].tolist() == pytest.approx(forth[column].tolist(), rel=1e-6, nan_ok=True)


def test_naming_a_thing_twice_pools_it_once(bundled: Evidence) -> None:
    assert len(pool_table(bundled, by=["line", "line"], methods=REML * 2)) == 4


def test_no_groups_leave_the_whole(bundled: Evidence) -> None:
    assert list(pool_table(bundled, by=(), methods=REML)["group"]) == ["all"]


def test_what_cannot_be_grouped_by_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("cohort_id,n,responders,all\na,10,3,x\nb,20,9,all\n", encoding="utf-8")
    with pytest.raises(UsageError, match="A column called all cannot be grouped by"):
        pool_table(read_evidence(path), by=["all"])
    with pytest.raises(UsageError, match="n cannot be grouped by: that is what is pooled"):
        pool_table(read_evidence(path), by=["n"])
