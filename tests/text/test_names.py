"""Names of levels in the words of a reader."""

import pytest

from alkbayes.text.names import level_name
from alkbayes.vocabulary import group_row


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        ({}, "overall"),
        ({"line": "naive"}, "naive"),
        ({"line": "naive", "generation": "third"}, "naive : third"),
        # A level of one column is nobody's to take apart.
        ({"site": "Paris: Nord"}, "Paris: Nord"),
        ({"site": "1/2 vs 3"}, "1/2 vs 3"),
    ],
)
def test_a_group_has_the_name_of_its_levels(levels: dict[str, str], name: str) -> None:
    assert level_name(group_row(levels)) == name
