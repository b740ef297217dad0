"""Units that may be exchangeable or on their own (EXNEX), for readers."""

from alkbayes.presentation.fit import Document, declared_in, outcome_of
from alkbayes.presentation.tables import ReaderTable, columns_in
from alkbayes.text.names import shown
from alkbayes.text.wording import level_text, percent, probability, rate_text


def exchangeability_tables(document: Document) -> list[ReaderTable]:
    """Return the table of each unit's rate, none without EXNEX.

    It has the posterior probabilities that the unit is exchangeable and that its rate exceeds each limit asked for.
    """
    rows = document.get("exchangeability") or []
    if not rows:
        return []
    outcome = outcome_of(document)
    own = [row for row in document["exceedance"] if row["estimand"] == "these_cohorts"]
    limits = list(dict.fromkeys(row["above"] for row in own))
    above = {(row["level"], row["above"]): row["probability"] for row in own}
    headings = (
        "",
        f"{outcome.units}\n{outcome.events}",
        "observed",
        "given all",
        "P(exchangeable),\nprior",
        "posterior",
        *(f"P(above\n{100 * limit:g} %)" for limit in limits),
    )
    cells = tuple(
        (
            shown(row["unit"]),
            f"{row['patients']:,}\n{row['responders']:,}",
            percent(row["responders"] / row["patients"]),
            rate_text(row),
            f"{row['prior']:g}",
            probability(row["exchangeable"]),
            *(probability(above[row["unit"], limit]) for limit in limits),
        )
        for row in rows
    )
    title = f"{outcome.title} of each {declared_in(document).name(rows[0]['column'])}, %"
    return [ReaderTable(title, headings, cells, units=columns_in("%", 2, 3))]


def exchangeability_notes(document: Document) -> list[str]:
    """Return what the columns of that table mean; none without EXNEX."""
    if not (rows := document.get("exchangeability")):
        return []
    what = declared_in(document).name(rows[0]["column"])
    level = level_text(document["interval_prob"])
    return [
        f"Given all: posterior median with its {level} credible interval, exchangeable or on its own.",
        f"P(exchangeable): prior and posterior probability that the {what} is exchangeable with the others.",
    ]
