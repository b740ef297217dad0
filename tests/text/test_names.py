"""Names of levels in the words of a reader."""

import pytest

from alkbayes.text.names import level_name
from alkbayes.vocabulary import ALL


@pytest.mark.parametrize(
    ("group", "level", "name"),
    [
        (ALL, ALL, "overall"),
        ("line", "naive", "naive"),
        ("line:generation", "naive:third", "naive : third"),
        # A level of one column is nobody's to take apart.
        ("site", "Paris: Nord", "Paris: Nord"),
        ("site", "1/2 vs 3", "1/2 vs 3"),
    ],
)
def test_a_level_has_the_name_that_the_table_gives_it(group: str, level: str, name: str) -> None:
    assert level_name(group, level) == name
