"""Results of a fit: the tables, and the document printed by `fit --json` and kept in a run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alkbayes.alk.levels import STRATA
from alkbayes.alk.review import RECONSTRUCTION, WITHIN_TRIALS
from alkbayes.classical.pooling.methods import PoolingMethod
from alkbayes.classical.pooling.tables import frame_of, pool_groups
from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import (
    Array,
    DrawnRow,
    cohort_table,
    contrast_table,
    exchangeability_table,
    heterogeneity_table,
    pooled_draws,
    pooled_table,
    posterior_of,
)
from alkbayes.evidence.cautions import table_cautions
from alkbayes.evidence.naming import TRIAL
from alkbayes.evidence.table import trial_names
from alkbayes.text.json import records
from alkbayes.text.notes import Note, NoteKind, notes_of
from alkbayes.vocabulary import ALL

if TYPE_CHECKING:
    import xarray as xr

    from alkbayes.inference.fit import Fit

CLASSICAL_METHODS = (PoolingMethod.CRUDE_WILSON, PoolingMethod.REML_LOGIT_HK_ADHOC, PoolingMethod.GLMM_ML)
"""Kept beside the posterior: the usual published pooling, the field's recommended method, and the same model by maximum
likelihood with one level of heterogeneity."""

RANDOMISED = ("generation", "agent")
"""Columns, by their names in results, whose levels trials with several arms compare."""


@dataclass(frozen=True, slots=True)
class Results:
    """The tables of a fit.

    Attributes
    ----------
    pooled, contrasts, heterogeneity, cohorts
        See the functions of these names in :mod:`alkbayes.estimates.rates`; with Monte Carlo errors except for the
        cohorts.
    classical
        See :func:`alkbayes.classical.pool_table`; for the same groups.
    estimands
        Draws of the pooled rates, proportions in [0, 1]: a variable for each estimand with the dimensions chain, draw
        and group, whose coordinate is such as "all" or "line naive". `next_cohort` has one new cohort for each draw.
    document
        Everything except the cohorts, with the model and the convergence verdict, as JSON values.
    """

    pooled: pd.DataFrame
    contrasts: pd.DataFrame
    heterogeneity: pd.DataFrame
    cohorts: pd.DataFrame
    classical: pd.DataFrame
    estimands: "xr.Dataset"
    document: dict[str, Any]


def results_of(fit: "Fit", *, methods: Sequence[PoolingMethod] = CLASSICAL_METHODS) -> Results:
    """Return the tables of a fit, with classical pooling by these methods."""
    posterior, errors = posterior_of(fit), error_columns_of(fit)
    drawn: list[DrawnRow] = []
    pooled = pooled_table(posterior, errors, _keeping_one(pooled_draws(posterior), drawn))
    contrasts = contrast_table(posterior, errors)
    heterogeneity, cohorts = heterogeneity_table(posterior, errors), cohort_table(posterior)
    grouped, frame = fit.evidence, fit.evidence.frame
    if any(TRIAL in effect.columns for effect in fit.spec.effect):
        # As in the design: a cohort without a trial is one of its own.
        grouped = replace(grouped, frame=frame.assign(**{TRIAL: trial_names(frame)}))
    groups = pool_groups(grouped, by=_classical_groups(fit), methods=methods, prob=fit.interval_prob)
    classical = frame_of(groups)
    notes = notes_of(
        *fit.evidence.notes,
        *fit.design.notes,
        *table_cautions(fit.evidence),
        *(
            [Note(NoteKind.NOT_RANDOMISED, fit.evidence.outcome.not_randomised(fit.evidence.trials))]
            if len(contrasts)
            else []
        ),
        *(
            [Note(NoteKind.WITHIN_TRIALS, WITHIN_TRIALS)]
            if contrasts["column"].isin(RANDOMISED).any() and fit.evidence.bundled and fit.evidence.outcome.usual
            else []
        ),
        *([Note(NoteKind.RECONSTRUCTION, RECONSTRUCTION)] if fit.evidence.bundled else []),
    )
    evidence = fit.evidence
    return Results(
        pooled=pooled,
        contrasts=contrasts,
        heterogeneity=heterogeneity,
        cohorts=cohorts,
        classical=classical,
        estimands=_estimands(fit, drawn),
        document={
            "model": fit.spec.name,
            "question": fit.spec.question,
            "link": fit.design.link,
            "outcome": evidence.outcome.as_record(),
            "standard": str(fit.standard),
            "interval_prob": fit.interval_prob,
            # Why this model, if nobody named one, and which columns it leaves out: the command adds these.
            "chosen": None,
            "unnamed": None,
            "unexamined": None,
            "engine": fit.provenance.engine,
            "evidence": evidence.as_record() | {"file": evidence.file},
            "diagnostics": fit.diagnostics.as_record(),
            "pooled": records(pooled),
            "heterogeneity": records(heterogeneity),
            "heterogeneity_unit": fit.design.new_unit,
            "exchangeability": records(exchangeability_table(posterior, errors)),
            "contrasts": records(contrasts),
            "classical": [
                row | {"notes": [note.as_record() for note in group.pooled.notes]}
                for row, group in zip(records(classical), groups, strict=True)
            ],
            "exceedance": [],
            "notes": [note.text for note in notes],
            "note_kinds": [str(note.kind) for note in notes],
            "provenance": fit.provenance.as_record(),
        },
    )


def _keeping_one(rows: Iterable[DrawnRow], kept: list[DrawnRow]) -> Iterator[DrawnRow]:
    """Yield rows as they are made, adding each to `kept` with one new cohort for each draw: all of them are large."""
    for row, values in rows:
        kept.append((row, values if values.ndim == 1 else values[:, 0].copy()))
        yield row, values


def _estimands(fit: "Fit", drawn: Sequence[DrawnRow]) -> "xr.Dataset":
    """Return the draws of pooled rates with the chains and draws of the posterior."""
    import xarray as xr

    index = fit.tree["posterior"].coords
    shape = index.sizes["chain"], index.sizes["draw"]
    draws: dict[str, list[Array]] = {}
    places: dict[str, None] = {}
    for row, values in drawn:
        places[ALL if row["group"] == ALL else f"{row['group']} {row['level']}"] = None
        draws.setdefault(str(row["estimand"]), []).append(values.reshape(shape))
    return xr.Dataset(
        {name: (("chain", "draw", "group"), np.stack(columns, axis=-1)) for name, columns in draws.items()},
        coords={"chain": index["chain"], "draw": index["draw"], "group": list(places)},
    )


def _classical_groups(fit: "Fit") -> list[str | tuple[str, str]]:
    """Return the columns and pairs of columns that define groups in the pooled table."""
    of_levels = [block for block in fit.design.effects if not block.numbers]
    columns: list[str | tuple[str, str]] = list(dict.fromkeys(name for block in of_levels for name in block.columns))
    pairs = [block.columns for block in of_levels if len(block.columns) == 2]
    if all(column in columns for column in STRATA):
        pairs = [STRATA, *(pair for pair in pairs if pair != STRATA)]
    return columns + [(first, second) for first, second in pairs]
