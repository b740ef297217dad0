"""Judgements of the risk of bias that people wrote into a table's columns `rob_…`; none is inferred."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alkbayes.appraisal.tools import OVERALL, REPORTING_QUALITY, TOOLS, Domain, Judgement, Tool, bundled_tool
from alkbayes.errors import EvidenceError, Setting
from alkbayes.evidence.faults import Fault
from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.records import Table
from alkbayes.evidence.table import Evidence, table_of
from alkbayes.text.names import listed, near_miss, plain, quoted
from alkbayes.vocabulary import is_missing

OF_JUDGEMENTS = re.compile(r"rob[\s_.-]+(?=\S)", re.IGNORECASE)
"""How the name of a column of judgements begins."""
OF_RISK = re.compile("(risk|riskofbias)$")
"""What may follow a judgement, as :func:`alkbayes.text.names.plain` leaves it: "low risk of bias"."""
DENIED = frozenset({"n", "no", "not"})
"""Answers that abbreviate no longer one: "no risk" is not "No information"."""
SAY = "Say to `alkbayes risk-of-bias` which tool it is, as in:"
"""Last words of a message that the remedy completes."""


@dataclass(frozen=True, slots=True)
class Share:
    """How often one judgement was made of a domain.

    Attributes
    ----------
    judgement
        The judgement; None for empty cells.
    cohorts, patients
        Cohorts with it, and their patients.
    """

    judgement: Judgement | None
    cohorts: int
    patients: int


@dataclass(frozen=True, slots=True)
class Appraisal:
    """Judgements of cohorts by one tool.

    Attributes
    ----------
    tool
        The tool.
    domains
        Those of its domains that the table has a column of, in the tool's order.
    cohorts, patients
        Names of the k cohorts in the order of the table, and their patients.
    cells
        Of each cohort the judgement of each domain, k by the number of domains; None where there is none.
    """

    tool: Tool
    domains: tuple[Domain, ...]
    cohorts: tuple[str, ...]
    patients: tuple[int, ...]
    cells: tuple[tuple[Judgement | None, ...], ...]

    @property
    def overall(self) -> tuple[Judgement | None, ...] | None:
        """Overall judgement of each cohort; None if the table has no column of them."""
        places = [place for place, domain in enumerate(self.domains) if domain.name == OVERALL]
        return tuple(row[places[0]] for row in self.cells) if places else None

    @property
    def low_risk(self) -> frozenset[str] | None:
        """Cohorts judged at low risk of bias overall; None if the table has no column of overall judgements."""
        if self.overall is None:
            return None
        pairs = zip(self.cohorts, self.overall, strict=True)
        return frozenset(cohort for cohort, judged in pairs if judged is not None and judged.low)

    @property
    def meanings(self) -> str:
        """What the names of the domains in figures and tables mean, in a sentence; empty if they say so themselves."""
        named = [(self.tool.short(domain), domain.label) for domain in self.domains]
        meanings = "; ".join(f"{name}: {label}" for name, label in named if name != label)
        return meanings if meanings.endswith(("?", ".")) or not meanings else f"{meanings}."

    def shares(self, domain: Domain) -> list[Share]:
        """Return how often each judgement of a domain was made, in the tool's order, empty cells last if any."""
        place = self.domains.index(domain)
        column = [row[place] for row in self.cells]
        found = []
        for choice in (*self.tool.judgements_of(domain), None):
            patients = [n for n, judged in zip(self.patients, column, strict=True) if judged == choice]
            if choice is not None or patients:
                found.append(Share(choice, len(patients), sum(patients)))
        return found

    def among(self, cohorts: Sequence[str]) -> "Appraisal":
        """Return the judgements of some cohorts, in this order."""
        places = [self.cohorts.index(cohort) for cohort in cohorts]
        return replace(
            self,
            cohorts=tuple(cohorts),
            patients=tuple(self.patients[at] for at in places),
            cells=tuple(self.cells[at] for at in places),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the judgements as values that JSON can hold: the tool, shares by domain in [0, 1], and cohorts."""
        return {
            "tool": self.tool.as_record(),
            "cohorts": len(self.cohorts),
            "patients": sum(self.patients),
            "domains": [
                {"name": domain.name, "label": domain.label, "shares": [*self._counted(domain)]}
                for domain in self.domains
            ],
            "judged": [
                {COHORT: cohort, "n": n, "judgements": self._labels(row)}
                for cohort, n, row in zip(self.cohorts, self.patients, self.cells, strict=True)
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each cohort: `cohort_id`, `n`, and by domain the judgement's label, None if empty."""
        return [
            {COHORT: cohort, "n": n, **self._labels(row)}
            for cohort, n, row in zip(self.cohorts, self.patients, self.cells, strict=True)
        ]

    def _labels(self, row: Sequence[Judgement | None]) -> dict[str, str | None]:
        """Return the judgements of a cohort by domain."""
        return {
            domain.name: None if judged is None else judged.label
            for domain, judged in zip(self.domains, row, strict=True)
        }

    def _counted(self, domain: Domain) -> Iterator[dict[str, Any]]:
        for share in self.shares(domain):
            yield {
                "judgement": share.judgement and share.judgement.label,
                "cohorts": share.cohorts,
                "patients": share.patients,
                "share_of_cohorts": share.cohorts / len(self.cohorts),
                "share_of_patients": share.patients / sum(self.patients),
            }


def appraise(evidence: Evidence, tool: Tool | None = None) -> Appraisal | None:
    """Return the judgements in a table's columns `rob_…`; None if it has no such column.

    Parameters
    ----------
    evidence
        The table.
    tool
        The tool of the judgements. Default: the bundled one that has a domain for each of these columns.

    Raises
    ------
    EvidenceError
        If a column is no domain of the tool, if no bundled tool or several fit the columns, or if a cell is no
        judgement of its domain; the message lists every such cell by its line.
    """
    own = [name for name in evidence.frame.columns.tolist() if OF_JUDGEMENTS.match(name)]
    if not own:
        return None
    tool = _tool_of(own) if tool is None else tool
    if strangers := [name for name in own if _domain_of(name, tool) is None]:
        fitting = _fitting(own)
        raise _no_domain(strangers, tool, likely=fitting[0].name if fitting else "my-tool.toml")
    return _appraised(evidence, tool, {name: domain for name in own if (domain := _domain_of(name, tool))})


def reporting_quality(evidence: Evidence) -> Appraisal | None:
    """Return what a table's columns say of how its responders were assessed and reported.

    None if it has no such column, or another outcome is counted. Words that these columns do not know count as empty: a
    user's own column may be called the same.
    """
    tool = bundled_tool(REPORTING_QUALITY)
    columns = {name: domain for name, domain in zip(tool.columns, tool.domain, strict=True) if name in evidence.frame}
    if not (columns and evidence.outcome.usual):
        return None
    found = _appraised(evidence, tool, columns, strict=False)
    said = [place for place in range(len(found.domains)) if any(row[place] for row in found.cells)]
    if not said:
        return None
    return replace(
        found,
        domains=tuple(found.domains[place] for place in said),
        cells=tuple(tuple(row[place] for place in said) for row in found.cells),
    )


def with_low_risk(evidence: Evidence, appraisal: Appraisal | None) -> Evidence:
    """Return a table that knows which of its cohorts were judged at low risk of bias."""
    return evidence if appraisal is None else replace(evidence, low_risk=appraisal.low_risk)


def judgement_meant(cell: str, choices: Sequence[Judgement]) -> Judgement | None:
    """Return the judgement that a cell stands for, None if none or several.

    Its label or another spelling of it, in any case, with or without "risk" or "risk of bias" after it; or the first
    letters of a label, if no other label begins with them and they do not deny.
    """
    word = OF_RISK.sub("", plain(cell)) or plain(cell)
    if not word:
        return None
    exact = [choice for choice in choices if not choice.words.isdisjoint({word, plain(cell)})]
    begun = exact or [choice for choice in choices if word not in DENIED and plain(choice.label).startswith(word)]
    return begun[0] if len(begun) == 1 else None


def _appraised(evidence: Evidence, tool: Tool, columns: dict[str, Domain], *, strict: bool = True) -> Appraisal:
    """Read the cells of columns of judgements as the file has them: "NA" may be a judgement."""
    table = table_of(evidence)
    in_order = sorted(columns, key=lambda name: tool.domain.index(columns[name]))
    if strict and (faults := [*_repeated(table, columns), *_faults(table, tool, columns)]):
        raise table.refusal(faults)
    by_column = [
        [judgement_meant(cell, tool.judgements_of(columns[name])) for cell in table.column(name)] for name in in_order
    ]
    rows = dict(zip(table.column(COHORT), zip(*by_column, strict=True), strict=True))
    cohorts = evidence.frame[COHORT].astype(str).tolist()
    return Appraisal(
        tool,
        tuple(columns[name] for name in in_order),
        tuple(cohorts),
        tuple(evidence.frame["n"].tolist()),
        tuple(rows[cohort] for cohort in cohorts),
    )


def _faults(table: Table, tool: Tool, columns: dict[str, Domain]) -> Iterator[Fault]:
    """Yield the cells that are no judgement of their domain."""
    cohorts = table.column(COHORT)
    for name, domain in columns.items():
        choices = tool.judgements_of(domain)
        labels = [choice.label for choice in choices]
        for record, cohort, cell in zip(table.records, cohorts, table.column(name), strict=True):
            if judgement_meant(cell, choices) is None and not is_missing(cell):
                words = {word: choice.label for choice in choices for word in choice.words}
                guess = near_miss(OF_RISK.sub("", plain(cell)), labels, words)
                begun = [label for label in labels if plain(cell) and plain(label).startswith(plain(cell))]
                advice = f"Did you mean {guess}?" if guess else "Leave the cell empty if nobody judged it."
                advice = f"It may mean {listed(begun)}: write which." if len(begun) > 1 else advice
                yield Fault(record.line, quoted(cell), ", ".join(labels), advice, cohort=cohort, column=name)


def _repeated(table: Table, columns: dict[str, Domain]) -> Iterator[Fault]:
    """Yield domains with two columns, such as rob_overall and ROB Overall."""
    names = list(columns)
    for place, name in enumerate(names):
        if columns[name] in [columns[other] for other in names[:place]]:
            found = f"a second column of {quoted(columns[name].label)}"
            yield Fault(table.header.line, found, "one column of each domain", "Delete one.", column=name)


def _domain_of(column: str, tool: Tool) -> Domain | None:
    """Return the domain of a tool that a column's name says."""
    said = plain(OF_JUDGEMENTS.sub("", column, count=1))
    return next((domain for domain in tool.domain if plain(domain.name) == said), None)


def _fitting(columns: Sequence[str]) -> list[Tool]:
    """Return the bundled tools that have a domain for each of the columns."""
    tools = [bundled_tool(name) for name in TOOLS]
    return [tool for tool in tools if all(_domain_of(column, tool) for column in columns)]


def _tool_of(columns: Sequence[str]) -> Tool:
    """Return the bundled tool that has a domain for each of the columns."""
    fitting = _fitting(columns)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise EvidenceError(
            f"Judgements of the risk of bias: found only {listed(columns)}, of several tools "
            f"({listed([tool.name for tool in fitting])}). {SAY}",
            remedy=Setting("tool", fitting[0].name),
        )
    tools = [bundled_tool(name) for name in TOOLS]
    nearest = max(tools, key=lambda tool: sum(_domain_of(column, tool) is not None for column in columns))
    strangers = [column for column in columns if _domain_of(column, nearest) is None]
    if len(strangers) == len(columns):
        guesses = [tool for tool in tools if any(near_miss(column, tool.columns) for column in columns)]
        if not guesses:
            raise EvidenceError(
                f"Judgements of the risk of bias: found {listed(columns)}; allowed: rob_ and a domain of a tool "
                f"({', '.join(TOOLS)}), or of your own in a file. {SAY}",
                remedy=Setting("tool", "my-tool.toml"),
            )
        nearest = guesses[0]
    raise _no_domain(strangers, nearest, likely="my-tool.toml")


def _no_domain(columns: Sequence[str], tool: Tool, *, likely: str) -> EvidenceError:
    """Return the error for columns that are no domain of a tool, and name the tool that is likelier theirs."""
    guesses = [guess for column in columns if (guess := near_miss(column, tool.columns))]
    advice = f" Did you mean {listed(guesses)}?" if guesses else ""
    return EvidenceError(
        f"Judgements of the risk of bias: found the column{'' if len(columns) == 1 else 's'} {listed(columns)}; "
        f"allowed for {tool.title} ({tool.name}): {', '.join(tool.columns)}.{advice} "
        f"Rename {'it' if len(columns) == 1 else 'them'}, or have another tool. {SAY}",
        remedy=Setting("tool", likely),
    )
