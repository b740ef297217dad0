"""The figures of randomised trials: networks, and contrasts of every pair."""

import numpy as np
import pytest

from alkbayes.evidence.randomised import read_randomised
from alkbayes.plots.figures.randomised import randomised
from alkbayes.randomised.analysis import RandomisedRecord, randomised_of
from alkbayes.text.wording import ratio_figure


@pytest.fixture(scope="module", params=[None, "agent"])
def record(request: pytest.FixtureRequest) -> RandomisedRecord:
    return randomised_of(read_randomised(by=request.param)).to_dict()


def test_networks_have_their_nodes_lines_and_ratios(record: RandomisedRecord, see) -> None:
    seen = see(randomised(record)[0])
    words = " ".join(seen.words)
    nodes = [row for outcome in record["outcomes"] for row in outcome["nodes"]]
    edges = [row for outcome in record["outcomes"] for row in outcome["edges"]]
    circles = [patch for axes in seen.figure.axes for patch in axes.patches if patch.get_gid() == "node"]
    lines = [line for axes in seen.figure.axes for line in axes.lines if line.get_gid() == "edge"]
    assert (len(circles), len(lines)) == (len(nodes), len(edges))
    for outcome in record["outcomes"]:
        for row in outcome["contrasts"]:
            if row["trials"]:
                low, middle, high = (ratio_figure(row[f"direct_{name}"]) for name in ("low", "median", "high"))
                assert f"{middle} ({low}–{high})" in words
    # Areas in proportion to patients, but for the smallest.
    sizes = {(patch.radius, row["patients"]) for patch, row in zip(circles, nodes, strict=True)}
    largest = max(sizes)
    for radius, patients in sizes:
        assert radius == pytest.approx(max(1.2, largest[0] * np.sqrt(patients / largest[1])), rel=0.05)
    assert seen.outside() == []
    assert seen.overlaps() == []


def test_contrasts_stand_at_their_ratios(record: RandomisedRecord, see) -> None:
    pages = randomised(record)[1:]
    assert len(pages) >= len(record["outcomes"])
    of = {kind: [] for kind in ("direct", "indirect", "combined", "single arms")}
    for page in pages:
        seen = see(page)
        assert seen.overlaps() == []
        assert seen.outside() == []
        for kind, found in of.items():
            for axes in page.axes:
                for collection in axes.collections:
                    if collection.get_gid() == kind:
                        found.extend(collection.get_offsets()[:, 0].tolist())
    rows = [row for outcome in record["outcomes"] for row in outcome["contrasts"]]
    single = [row["single_median"] for outcome in record["outcomes"] for row in outcome["single_arms"]]
    assert of["single arms"] == pytest.approx(single)
    assert of["combined"] == pytest.approx([row["combined_median"] for row in rows if row["evidence"] == "both"])
    # A median beyond the axis has an arrow alone.
    direct = [row["direct_median"] for row in rows if row["trials"] and row["direct_median"] <= 50]
    assert of["direct"] == pytest.approx(direct)


def test_hostile_names_stay_on_the_page(record: RandomisedRecord, see, hostile) -> None:
    names = {}
    for outcome in record["outcomes"]:
        for row in (*outcome["nodes"], *outcome["edges"], *outcome["contrasts"], *outcome["single_arms"]):
            for key in ("treatment", "first", "second"):
                if key in row:
                    names.setdefault(row[key], f"{len(names)} {hostile[len(names) % len(hostile)]}")
                    row[key] = names[row[key]]
    for page in randomised(record):
        assert see(page).outside() == []
