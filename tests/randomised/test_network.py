"""Networks: how trials connect treatments, which pairs can be split, and the covariance of ratios of one trial."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from alkbayes.errors import EvidenceError, UsageError
from alkbayes.evidence.randomised import RandomisedTable, read_randomised
from alkbayes.evidence.sources import TableSource
from alkbayes.randomised.network import CountTrial, Network, count_network, ratio_network

type Give = Callable[[str], RandomisedTable]
RATIOS = "trial,treatment,hr,hr_low,hr_high,hr_se,hr_vs\n"


@pytest.fixture
def give(tmp_path: Path) -> Give:
    def write(text: str) -> RandomisedTable:
        path = tmp_path / "own.csv"
        path.write_text(text, encoding="utf-8")
        return read_randomised(TableSource(path))

    return write


def test_the_bundled_networks() -> None:
    counts, ratios = count_network(read_randomised()), ratio_network(read_randomised())
    assert counts is not None
    assert ratios is not None
    assert counts.treatments == ratios.treatments == ("chemotherapy", "first", "second", "third")
    assert (len(counts.trials), len(ratios.trials)) == (11, 12)
    assert counts.notes == (
        "Arms of one treatment class only, so no comparison: ALTA-3.",
        "Without counts: J-ALEX.",
    )
    # CROWN alone has a third-generation inhibitor: nothing else connects it.
    assert [counts.splits(pair) for pair in counts.pairs] == [True, True, True, False, False, False]


def test_pairs_that_can_be_split_are_multinmas(published: Callable[..., Network[CountTrial]]) -> None:
    """The list in multinma's vignette of the thrombolytic data, by `get_nodesplits()`."""
    names = ("SK", "Acc t-PA", "ASPAC", "PTCA", "r-PA", "SK + t-PA", "t-PA", "TNK", "UK")
    network = published("thrombolytics", names)
    split = {(names[b], names[a]) for a, b in network.pairs if network.splits((a, b))}
    assert split == {
        ("Acc t-PA", "SK"), ("ASPAC", "SK"), ("PTCA", "SK"), ("r-PA", "SK"), ("t-PA", "SK"), ("UK", "SK"),
        ("ASPAC", "Acc t-PA"), ("PTCA", "Acc t-PA"), ("r-PA", "Acc t-PA"), ("SK + t-PA", "Acc t-PA"),
        ("UK", "Acc t-PA"), ("t-PA", "ASPAC"), ("t-PA", "PTCA"), ("UK", "t-PA"),
    }  # fmt: skip


@pytest.mark.parametrize(("responders", "found"), [(0, "0 responders of 41"), (None, "41 responders of 41")])
def test_counts_without_events_or_non_events_are_refused(give: Give, responders: int | None, found: str) -> None:
    rows = "".join(f"A,{arm},{n if responders is None else responders},{n}\n" for arm, n in (("a", 20), ("b", 21)))
    with pytest.raises(EvidenceError, match=f"no trial has both responders and non-responders .found {found} patients"):
        count_network(give(f"trial,treatment,responders,n\n{rows}"))


def test_parts_that_no_trial_connects_are_named(give: Give) -> None:
    table = give("trial,treatment,responders,n\nA,a,3,20\nA,b,5,20\nB,c,3,20\nB,d,5,20\n")
    with pytest.raises(EvidenceError) as caught:
        count_network(table)
    message = str(caught.value)
    assert "fall into 2 parts that no trial connects: (1) a and b; (2) c and d." in message
    with pytest.raises(EvidenceError, match="no trial compares two levels of treatment with counts"):
        count_network(give("trial,treatment,arm,responders,n\nA,a,low,3,20\nA,a,high,5,20\n"))


def test_arms_of_one_treatment_are_added_up(give: Give) -> None:
    network = count_network(give("trial,treatment,arm,responders,n\nA,a,low,3,20\nA,a,high,5,25\nA,b,one,4,22\n"))
    assert network is not None
    assert network.trials[0].responders.tolist() == [8, 4]
    assert network.trials[0].n.tolist() == [45, 22]
    assert network.notes == ("Arms of one treatment added up: A.",)


def test_a_reference_can_be_asked_for() -> None:
    network = count_network(read_randomised(by="agent"), reference="crizotinib")
    assert network is not None
    assert network.treatments[:2] == ("crizotinib", "chemotherapy")
    with pytest.raises(UsageError, match=r'found "crizotinb", which no trial has\. Did you mean "crizotinib"'):
        count_network(read_randomised(by="agent"), reference="crizotinb")


def test_standard_errors_are_those_of_the_interval() -> None:
    """CROWN: 0.28 (0.19-0.41) at 95 %, by hand."""
    network = ratio_network(read_randomised())
    assert network is not None
    (crown,) = [trial for trial in network.trials if trial.name == "CROWN"]
    assert crown.log_ratios == pytest.approx([math.log(0.28)])
    assert math.sqrt(crown.covariance[0, 0]) == pytest.approx(math.log(0.41 / 0.19) / (2 * 1.959964), abs=1e-6)


def test_the_level_of_an_interval_counts(give: Give) -> None:
    """J-ALEX at its interim analysis: 0.34, 99.7 % interval 0.17-0.71, of width 2 x 2.9677 standard errors."""
    table = give("trial,treatment,hr,hr_low,hr_high,hr_level\nJ,a,,,,\nJ,b,0.34,0.17,0.71,99.7\n")
    network = ratio_network(table)
    assert network is not None
    assert math.sqrt(network.trials[0].covariance[0, 0]) == pytest.approx(math.log(0.71 / 0.17) / (2 * 2.967738), 1e-6)


def test_ratios_of_three_arms_need_their_covariance(give: Give) -> None:
    rows = "A,a,,,,,\nA,b,0.8,0.6,1.07,,\nA,c,0.6,0.45,0.8,,\n"
    with pytest.raises(EvidenceError) as caught:
        ratio_network(give(RATIOS + rows))
    message = str(caught.value)
    assert 'found hazard ratios of "b" and "c" against "a" in "A"' in message
    assert 'Write the standard error of the log hazard of "a" into hr_se of its row' in message


def test_either_way_gives_the_covariance(give: Give) -> None:
    """Arms whose log hazards have the SEs 0.1, 0.11 and 0.12: the covariance of two ratios is 0.1^2."""
    se_b, se_c, se_bc = math.hypot(0.1, 0.11), math.hypot(0.1, 0.12), math.hypot(0.11, 0.12)
    arms = f"A,a,,,,{{}},\nA,b,0.8,,,{se_b},\nA,c,0.6,,,{se_c},\n"
    for text in (arms.format(0.1), arms.format("") + f"A,c,0.75,,,{se_bc},b\n"):
        network = ratio_network(give(RATIOS + text))
        assert network is not None
        assert network.trials[0].covariance == pytest.approx(np.array([[se_b**2, 0.01], [0.01, se_c**2]]))
        assert network.trials[0].log_ratios == pytest.approx(np.log([0.8, 0.6]))


def test_a_ratio_the_wrong_way_round_is_seen(give: Give) -> None:
    rows = "A,a,,,,,\nA,b,0.8,,,0.14,\nA,c,0.6,,,0.15,\nA,c,1.33,,,0.16,b\n"
    with pytest.raises(EvidenceError, match=r"allowed: about 0\.75, the quotient of the two against"):
        ratio_network(give(RATIOS + rows))


def test_a_reference_error_too_large_is_refused(give: Give) -> None:
    rows = "A,a,,,,0.2,\nA,b,0.8,,,0.14,\nA,c,0.6,,,0.15,\n"
    with pytest.raises(EvidenceError, match="standard errors of the trial"):
        ratio_network(give(RATIOS + rows))
