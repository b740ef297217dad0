"""Everything that a fit is reported by: the tables, and the document that `fit --json` prints and a run keeps."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from alkbayes.classical import PoolingMethod, pool_table
from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import (
    cohort_table,
    contrast_table,
    heterogeneity_table,
    pooled_table,
    posterior_of,
)
from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.rules import STRATA
from alkbayes.evidence.table import RECONSTRUCTION
from alkbayes.text.json import records
from alkbayes.text.notes import Note, NoteKind, notes_of
from alkbayes.vocabulary import NOT_RANDOMISED

if TYPE_CHECKING:
    from alkbayes.inference.fit import Fit

CLASSICAL_METHODS = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.GLMM_ML)
"""Kept beside the posterior: what is usually printed, what the field's guidance asks for, and the same model by maximum
likelihood with one level of heterogeneity."""


@dataclass(frozen=True, slots=True)
class Results:
    """The tables of a fit.

    Attributes
    ----------
    pooled, contrasts, heterogeneity, cohorts
        See the functions of these names in :mod:`alkbayes.estimates.rates`; all but the cohorts with Monte Carlo
        errors.
    classical
        See :func:`alkbayes.classical.pool_table`; of the same groups.
    document
        All but the cohorts, with what was fitted and the convergence verdict, as values that JSON can hold.
    """

    pooled: pd.DataFrame
    contrasts: pd.DataFrame
    heterogeneity: pd.DataFrame
    cohorts: pd.DataFrame
    classical: pd.DataFrame
    document: dict[str, Any]


def results_of(fit: "Fit") -> Results:
    """Return the tables of a fit."""
    posterior, errors = posterior_of(fit), error_columns_of(fit)
    pooled, contrasts = pooled_table(posterior, errors), contrast_table(posterior, errors)
    heterogeneity, cohorts = heterogeneity_table(posterior, errors), cohort_table(posterior)
    classical = pool_table(fit.evidence, by=_classical_groups(fit), methods=CLASSICAL_METHODS)
    notes = notes_of(
        *fit.evidence.notes,
        *fit.design.notes,
        *table_cautions(fit.evidence),
        *([Note(NoteKind.NOT_RANDOMISED, NOT_RANDOMISED)] if len(contrasts) else []),
        *([Note(NoteKind.RECONSTRUCTION, RECONSTRUCTION)] if fit.evidence.bundled else []),
    )
    evidence = fit.evidence
    return Results(
        pooled=pooled,
        contrasts=contrasts,
        heterogeneity=heterogeneity,
        cohorts=cohorts,
        classical=classical,
        document={
            "model": fit.spec.name,
            "question": fit.spec.question,
            "link": fit.design.link,
            "outcome": asdict(evidence.outcome),
            "standard": str(fit.standard),
            # Why this model, where nobody named one, and what it leaves out of the table: the command adds them.
            "chosen": None,
            "unnamed": None,
            "unexamined": None,
            "engine": fit.provenance.engine,
            "evidence": {
                "source": evidence.source,
                "cohorts": evidence.cohorts,
                "trials": evidence.trials,
                "patients": evidence.patients,
                "responders": evidence.responders,
                "sha256": evidence.sha256,
                "file": evidence.file,
                "sheet": evidence.sheet,
                "columns": dict(evidence.columns),
            },
            "diagnostics": fit.diagnostics.as_record(),
            "pooled": records(pooled),
            "heterogeneity": records(heterogeneity),
            "contrasts": records(contrasts),
            "classical": records(classical),
            "notes": [note.text for note in notes],
            "note_kinds": [str(note.kind) for note in notes],
            "provenance": fit.provenance.as_record(),
        },
    )


def _classical_groups(fit: "Fit") -> list[str | tuple[str, str]]:
    """Return the columns and pairs of columns that the pooled table has groups of."""
    columns: list[str | tuple[str, str]] = list(fit.design.profiles)
    pairs = [block.columns for block in fit.design.effects if len(block.columns) == 2]
    if all(column in columns for column in STRATA):
        pairs = [STRATA, *(pair for pair in pairs if pair != STRATA)]
    return columns + [(first, second) for first, second in pairs]
