"""A small table with judgements by ROBINS-I, whose counts are done by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alkbayes.evidence.table import Evidence, read_evidence

JUDGED = """\
cohort_id,trial,responders,n,rob_confounding,rob_missing_data,rob_overall
a,A,10,20,Low,low risk,L
b,A,12,24,serious,Moderate risk of bias,Serious
c,B,15,36,LOW,,No information
d,C,9,33,NI,critical,
e,D,7,47,mod,Low,low risk of bias
"""


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[str], Evidence]:
    """Return a reader of such a table from its text."""

    def read(text: str = JUDGED) -> Evidence:
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return read_evidence(path)

    return read


@pytest.fixture
def text() -> str:
    return JUDGED
