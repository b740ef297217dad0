"""Judgements of the risk of bias, and what columns say of the reports, for readers."""

from collections.abc import Iterator, Mapping

from alkbayes.appraisal.judgements import Appraisal
from alkbayes.appraisal.tools import OVERALL
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.presentation.tables import Part, ReaderTable, Sentence
from alkbayes.text.names import listed, shown
from alkbayes.text.wording import capitalised, counted, percent

NOBODY = (
    "Nobody's judgements of the risk of bias are in the table: it has no column rob_overall, or rob_ and another "
    "domain of a tool. None is inferred from anything else."
)
PEOPLES = "These are people's judgements, as the table has them; none was inferred."
REPORTED = "As the columns of the table say: a description of the reports, not a judgement of the risk of bias."
NO_LIMITS = (
    "{title} gives no rule from its items to a low or a high risk of bias: the overall judgements follow a rule of the "
    "review, which its methods state."
)


def appraisal_parts(appraisal: Appraisal, outcome: Outcome = ORR) -> Iterator[Part]:
    """Yield how often each judgement was made, and what is not judged."""
    tool = appraisal.tool
    yield Sentence(f"Tool: {tool.citation}. {PEOPLES}")
    if _of_own_rule(appraisal):
        yield Sentence(NO_LIMITS.format(title=tool.title))
    yield share_rows(appraisal, outcome)
    if sentence := _not_judged(appraisal):
        yield Sentence(sentence)


def share_rows(appraisal: Appraisal, outcome: Outcome = ORR) -> ReaderTable:
    """Return of each domain how many cohorts, and their patients, have each judgement, with shares in percent."""
    rows: list[tuple[str, ...]] = []
    cohorts, patients = len(appraisal.cohorts), sum(appraisal.patients)
    for domain in appraisal.domains:
        rows.append((domain.label,))
        for share in appraisal.shares(domain):
            if share.cohorts:
                name = appraisal.tool.missing if share.judgement is None else share.judgement.label
                rows.append(
                    (
                        f" {name}",
                        f"{share.cohorts:,}",
                        percent(share.cohorts / cohorts, 0),
                        f"{share.patients:,}",
                        percent(share.patients / patients, 0),
                    )
                )
    title = f"Risk of bias by {appraisal.tool.title}" if appraisal.tool.prefix else appraisal.tool.title
    of = f"{title}: {counted(cohorts, 'cohort')}, {outcome.units_of(patients)}"
    return ReaderTable(of, ("", "cohorts", "%", outcome.units, "%"), tuple(rows))


def judgement_rows(appraisal: Appraisal, labels: Mapping[str, str]) -> ReaderTable:
    """Return the judgements of each cohort as symbols, with their meanings as notes.

    `labels` are what the cohorts are called, by their names.
    """
    names = [appraisal.tool.short(domain) for domain in appraisal.domains]
    rows = tuple(
        (shown(labels[cohort]), *("·" if judged is None else judged.symbol for judged in row))
        for cohort, row in zip(appraisal.cohorts, appraisal.cells, strict=True)
    )
    choices = {
        f"{choice.symbol} {choice.label}": None
        for domain in appraisal.domains
        for choice in appraisal.tool.judgements_of(domain)
    }
    notes = (appraisal.meanings, f"{'; '.join((*choices, f'· {appraisal.tool.missing}'))}.")
    return ReaderTable("Judgements of every cohort", ("", *names), rows, notes=tuple(filter(None, notes)))


def _of_own_rule(appraisal: Appraisal) -> bool:
    """Return whether the overall judgements are others than the tool's."""
    return any(domain.name == OVERALL and domain.judgement for domain in appraisal.domains)


def _not_judged(appraisal: Appraisal) -> str:
    """Return which of the tool's domains nobody judged at all, or for which cohorts some are empty."""
    absent = [domain.label for domain in appraisal.tool.domain if domain not in appraisal.domains]
    sentences = [f"Not in the table: {listed(absent)}."] if absent else []
    empty = sum(any(judged is None for judged in row) for row in appraisal.cells)
    if empty:
        has = "has" if empty == 1 else "have"
        sentences.append(f"{capitalised(counted(empty, 'cohort'))} {has} domains that nobody judged, which is not low.")
    return " ".join(sentences)
