"""How the two engines agree, as a reader sees it."""

from collections.abc import Iterator, Mapping
from typing import Any

from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.names import shown


def cross_check_parts(found: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the differences between the engines and what they come to, or why there are none.

    `found` is the cross-check of a fit's document.
    """
    if "differences" not in found:
        yield Sentence(f"Cross-check: FAILED: {'; '.join(found['faults'])}.")
        return
    names = tuple(dict.fromkeys(row["statistic"] for row in found["differences"]))
    rows: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for row in found["differences"]:
        rows.setdefault((row["group"], row["level"], row["estimand"]), {})[row["statistic"]] = row["z"]
    yield ReaderTable(
        "Quadrature less NUTS, in units of the Monte Carlo error of the difference",
        ("", "estimand", *names),
        tuple(_cells(key, [differences[name] for name in names]) for key, differences in rows.items()),
        words=(1,),
    )
    verdict = "; ".join(found["faults"]) if found["faults"] else "the engines agree"
    yield Sentence(
        f"Cross-check: {verdict}. Largest of {found['numbers']} differences {found['largest']:.1f}; engines that agree "
        f"have one beyond {found['limit']:.1f} in at most {100 * found['false_alarm']:.0f} % of runs."
    )


def _cells(key: tuple[str, str, str], differences: list[float | None]) -> tuple[str, ...]:
    group, level, estimand = key
    name = "overall" if group == "all" else shown(level).replace(":", " : ")
    return (name, estimand.replace("_", " "), *("–" if z is None else f"{z:+.1f}" for z in differences))
