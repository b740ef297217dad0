"""Agreement of the two engines, for readers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alkbayes.presentation.tables import Part, ReaderTable, Row, Sentence, rows_by
from alkbayes.text.names import level_name


def cross_check_parts(found: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the differences between the engines and their verdict, or why there are none.

    `found` is the cross-check in a fit's document.
    """
    if "differences" not in found:
        yield Sentence(f"Cross-check: FAILED: {'; '.join(found['faults'])}.")
        return
    names = tuple(dict.fromkeys(row["statistic"] for row in found["differences"]))
    rows = rows_by(found["differences"], "group", "level", "estimand", "statistic")
    yield ReaderTable(
        "Quadrature less NUTS, in units of the Monte Carlo error of the difference",
        ("", "estimand", *names),
        tuple(_cells([of[name] for name in names]) for of in rows.values()),
        words=(1,),
    )
    verdict = "; ".join(found["faults"]) if found["faults"] else "the engines agree"
    yield Sentence(
        f"Cross-check: {verdict}. Largest of {found['numbers']} differences {found['largest']:.1f}; engines that agree "
        f"have one beyond {found['limit']:.1f} in at most {100 * found['false_alarm']:.0f} % of runs."
    )


def _cells(rows: Sequence[Row]) -> tuple[str, ...]:
    differences = (row["z"] for row in rows)
    estimand = rows[0]["estimand"].replace("_", " ")
    return (level_name(rows[0]), estimand, *("–" if z is None else f"{z:+.1f}" for z in differences))
