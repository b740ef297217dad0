"""The flow diagram: every count where PRISMA has it, nothing over another, on one page."""

from dataclasses import replace

import pytest

from alkbayes.plots.figures.prisma import described, prisma
from alkbayes.plots.page.style import Caption
from alkbayes.registry.flow import Flow

# Counts of a review of 214 records, written for this test.
FLOW = Flow(
    sources={"condition": 160, "agents": 90},
    identified=250,
    duplicates=36,
    screened=214,
    excluded={"Not an interventional study": 60, "No ALK-positive patients": 41, "Not advanced disease": 13},
    by_people=4,
    sought=100,
    not_retrieved={"No results posted": 52},
    assessed=48,
    reports_excluded={"No response of a group under an agent of the review": 12},
    studies=36,
    cohorts=58,
    participants=5_321,
    searched="2026-11-30",
    table="",
)


def test_every_count_is_there_and_nothing_overlaps(see: type) -> None:
    (page,) = prisma(FLOW, Caption(("A note.",)))
    seen = see(page)
    assert seen.overlaps() == []
    assert seen.outside() == []
    for word in (
        "Records identified from ClinicalTrials.gov (n = 250)",
        "Duplicate records removed before screening (n = 36)",
        "Records screened (n = 214)",
        "Records excluded (n = 114)",
        "by rules (n = 110), by a person (n = 4)",
        "Reports not retrieved (n = 52)",
        "Studies included (n = 36)",
        "58 cohorts, 5,321 participants",
        "Identification",
        "Included",
    ):
        assert word in seen.words, word


def test_long_and_many_reasons_stay_in_their_box(see: type, hostile: tuple[str, ...]) -> None:
    reasons = {f"{name} {'very long reason ' * 12}": 1 for name in hostile}
    many = replace(FLOW, excluded=reasons | {"Rest": 114 - len(reasons)})
    seen = see(prisma(many)[0])
    assert seen.overlaps() == []
    assert seen.outside() == []


def test_an_empty_review_is_drawn(see: type) -> None:
    empty = Flow({"a": 0}, 0, 0, 0, {}, 0, 0, {}, 0, {}, 0, 0, 0, "", "")
    seen = see(prisma(empty)[0])
    assert seen.overlaps() == []
    assert "Studies included (n = 0)" in seen.words


def test_it_is_told_in_words_too() -> None:
    told = described(FLOW)
    assert told.startswith(
        "Records identified from ClinicalTrials.gov (n = 250): condition (n = 160); agents (n = 90)."
    )
    assert "Reports not retrieved (n = 52): No results posted (n = 52)" in told


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_files_are_the_same_each_time(tmp_path, ending: str) -> None:
    from alkbayes.plots.files import save_figures

    first, second = (save_figures(prisma(FLOW), tmp_path / f"{name}.{ending}")[0].read_bytes() for name in "ab")
    assert first == second
