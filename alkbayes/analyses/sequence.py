"""Response rates by prior ALK TKI and TKI generation, including combinations without cohorts.

A cell with cohorts is averaged over its own patients, as in the table of pooled rates. A cell without is a prediction
of the model, averaged over the lines of all patients with that prior TKI. Options after one prior TKI are compared over
these same patients, so that a difference between options does not reflect the lines of their cohorts.
"""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alkbayes.alk.levels import LEVELS
from alkbayes.alk.words import HISTORIES
from alkbayes.errors import UsageError
from alkbayes.estimates.monte_carlo import error_columns_of
from alkbayes.estimates.rates import (
    ERROR_COLUMNS,
    NO_DIFFERENCE,
    ErrorsOf,
    Posterior,
    posterior_of,
    profile_odds_ratio,
    profile_weights,
    with_errors,
)
from alkbayes.evidence.outcomes import ORR
from alkbayes.inference.fit import Fit, fit_model
from alkbayes.inference.settings import Engine
from alkbayes.likelihood.links import inverse
from alkbayes.model.expected_rate import expected_rate
from alkbayes.model.predictive import new_cohorts
from alkbayes.model.profiles import Group, describe_weights, profile_predictors
from alkbayes.model.summary import equal_tailed, summarise
from alkbayes.spec.schema import model_path, read_spec
from alkbayes.text.json import finite_or_none, records
from alkbayes.text.names import listed, near_miss, quoted, shown
from alkbayes.text.wording import level_text, percent, percent_interval, probability
from alkbayes.vocabulary import INTERVAL_PROB, Estimand, in_order, label_of

if TYPE_CHECKING:
    from alkbayes.evidence.table import Evidence

type Array = NDArray[np.float64]

MODEL = "sequence"
"""Model fitted when no run is given."""
EARLIER, GENERATION = "prior_alk_tki", "regimen_class"

WEIGHTING = (
    "A cell with cohorts is averaged over its own patients' lines; one without over the lines of all patients with "
    "that prior TKI, and so is every comparison: its options do not differ in their lines."
)
SEVERAL = ("any", "mixed")
"""Levels that are not the history of a single patient."""


class SequenceRecord(TypedDict):
    """JSON record of :class:`Sequencing`, with its tables as rows; undefined numbers are None.

    `run` is the folder of the fit, None for a new one; `engine` made the draws.
    """

    run: str | None
    model: str
    interval_prob: float
    engine: str
    evidence: dict[str, str]
    diagnostics: dict[str, Any]
    after: str | None
    cautions: list[str]
    matrix: list[dict[str, Any]]
    options: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    findings: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Sequencing:
    """Response rates after each prior ALK TKI.

    Attributes
    ----------
    after
        Prior TKI to which the tables are restricted; None for all.
    matrix, options, comparisons
        See :func:`sequence_table`, :func:`option_table` and :func:`comparison_table`.
    cautions
        Warnings to be read before any estimate.
    findings
        A sentence for each prior TKI.
    """

    fit: Fit
    after: str | None
    matrix: pd.DataFrame
    options: pd.DataFrame
    comparisons: pd.DataFrame
    cautions: tuple[str, ...]
    findings: tuple[str, ...]

    def to_dict(self, *, run: str | None = None) -> SequenceRecord:
        """Return everything as JSON values; `run` is the folder of the fit."""
        fit = self.fit
        record = SequenceRecord(
            run=run,
            model=fit.spec.name,
            interval_prob=fit.interval_prob,
            engine=fit.provenance.engine,
            evidence={"source": fit.evidence.source, "sha256": fit.evidence.sha256},
            diagnostics=fit.diagnostics.as_record(),
            after=self.after,
            cautions=list(self.cautions),
            matrix=records(self.matrix),
            options=records(self.options),
            comparisons=records(self.comparisons),
            findings=list(self.findings),
            notes=list(fit.design.notes),
        )
        plain: SequenceRecord = finite_or_none(record)
        return plain


@dataclass(frozen=True, slots=True)
class _Option:
    """A generation after a prior TKI, and its cohorts."""

    earlier: str
    generation: str
    row: NDArray[np.bool_]
    members: NDArray[np.bool_]

    @property
    def observed(self) -> bool:
        return bool(self.members.any())

    @property
    def k(self) -> int:
        return int(self.members.sum())

    def counts(self, posterior: Posterior) -> dict[str, Any]:
        design = posterior.design
        return {
            "earlier": self.earlier,
            "generation": self.generation,
            "k": self.k,
            "patients": int(design.n[self.members].sum()),
            "responders": int(design.responders[self.members].sum()),
            "observed": self.observed,
        }

    def averaged(self, posterior: Posterior, members: NDArray[np.bool_]) -> tuple[Array, Array, str]:
        """Return predictors (draw, profile) of this option for these patients, their weights, and both in words."""
        design, weights = posterior.design, profile_weights(posterior, members)
        used = np.flatnonzero(weights)
        profiles = {name: values[used] for name, values in posterior.profiles.items()}
        if GENERATION in profiles:
            profiles[GENERATION] = np.full(len(used), self.generation)
        levels = {label_of(EARLIER): self.earlier, label_of(GENERATION): self.generation}
        words = describe_weights(posterior.design, posterior.profiles, Group(levels, members), weights)
        return profile_predictors(design, posterior.draws, profiles, count=len(used)), weights[used], words


def sequence_fit(evidence: "Evidence", *, interval_prob: float = INTERVAL_PROB) -> Fit:
    """Fit the bundled model of sequences to a table with its columns, by quadrature if possible.

    `interval_prob` is the probability of the intervals.

    Raises
    ------
    SamplingError
        If the posterior can be neither integrated nor sampled.
    """
    return fit_model(read_spec(model_path(MODEL)), evidence, engine=Engine.QUADRATURE, interval_prob=interval_prob)


def sequencing_of(fit: Fit, *, after: str | None = None) -> Sequencing:
    """Return all results on sequences from a fit of the model `sequence`, or of a similar one.

    Parameters
    ----------
    fit
        Fit of a model with effects of `prior_alk_tki` and `regimen_class`.
    after
        Prior TKI to restrict the tables to; all if None.

    Raises
    ------
    UsageError
        If the model lacks one of the effects, or no cohort has had `after` before.
    """
    posterior, frame, errors = posterior_of(fit), fit.evidence.frame, error_columns_of(fit)
    matrix = sequence_table(posterior, frame, errors, after=after)
    options = option_table(posterior, frame, errors, after=after)
    return Sequencing(
        fit=fit,
        after=after,
        matrix=matrix,
        options=options,
        comparisons=comparison_table(posterior, frame, errors, after=after),
        cautions=(ORR.not_randomised(fit.evidence.trials), *_cautions(matrix, frame)),
        findings=tuple(
            _finding(str(earlier), of, prob=fit.interval_prob) for earlier, of in options.groupby("earlier", sort=False)
        ),
    )


def sequence_table(
    posterior: Posterior, frame: pd.DataFrame, errors: ErrorsOf | None = None, *, after: str | None = None
) -> pd.DataFrame:
    """Return the response rate for every combination of prior ALK TKI and TKI generation.

    Parameters
    ----------
    posterior
        Posterior of a model with effects of both columns; one whose cohorts are all alike in a column has no effect of
        it.
    frame
        Table of cohorts, in the order of the posterior.
    errors
        Function for the Monte Carlo errors of draws; without it the table has no such columns.
    after
        Prior TKI to restrict the table to; all if None.

    Returns
    -------
    pandas.DataFrame
        A row for each cell and estimand (`typical`, `mean`, `next_cohort`). Columns earlier, generation, k, patients,
        responders, observed (False: no cohort, a prediction), weights (the profiles averaged over), estimand, mean,
        median, sd, low, high, in [0, 1]; low and high are the ends of the equal-tailed credible interval, or of
        the prediction interval for `next_cohort`.

    Raises
    ------
    UsageError
        If the model lacks one of the effects, or no cohort has had `after` before.
    """
    options = list(_options(posterior, frame, after))
    # The seed of the pooled table, whose cells these are.
    rng = np.random.default_rng(posterior.seed)
    new = new_cohorts(posterior.heterogeneity, len(posterior.predictors), rng=rng)
    rows = []
    for option in options:
        predictors, share, words = option.averaged(posterior, option.members if option.observed else option.row)
        common = option.counts(posterior) | {"weights": words}
        for estimand, draws in (
            (Estimand.TYPICAL, inverse(posterior.design.link, predictors @ share)),
            (Estimand.MEAN, expected_rate(predictors, posterior.heterogeneity) @ share),
            (Estimand.NEXT_COHORT, new.rates(predictors, share, rng=copy.deepcopy(rng))),
        ):
            rows.append(
                common
                | {"estimand": str(estimand)}
                | summarise(draws, prob=posterior.interval_prob)
                | with_errors(errors, draws)
            )
    return pd.DataFrame(rows)


def option_table(
    posterior: Posterior, frame: pd.DataFrame, errors: ErrorsOf | None = None, *, after: str | None = None
) -> pd.DataFrame:
    """Return the options after each prior TKI, over the same patients, with their ranks.

    Only options with cohorts are ranked: the rank of one without would come from its prior.

    Returns
    -------
    pandas.DataFrame
        Columns of a cell as in :func:`sequence_table`, with `weights` of the row; mean, median, sd, low, high of the
        estimand `mean` over the lines of all the row's patients; prob_best, the posterior probability of the highest
        rate among the ranked options; mean_rank, rank_low and rank_high, the mean rank (1 is the highest rate) and the
        ends of its equal-tailed credible interval (Salanti, Ades and Ioannidis 2011,
        doi:10.1016/j.jclinepi.2010.03.016). Ranks are NaN for options without cohorts, and for one with no competitor.

    Raises
    ------
    UsageError
        As :func:`sequence_table`.
    """
    rows = []
    for _, options in _by_row(posterior, frame, after):
        rates = []
        for option in options:
            predictors, share, words = option.averaged(posterior, option.row)
            rates.append(expected_rate(predictors, posterior.heterogeneity) @ share)
            row = option.counts(posterior) | {"weights": words}
            rows.append(
                row
                | summarise(rates[-1], prob=posterior.interval_prob)
                | with_errors(errors, rates[-1])
                | dict.fromkeys(RANK_COLUMNS, np.nan)
            )
        ranked = [place for place, option in enumerate(options) if option.observed]
        if len(ranked) > 1:
            ranks = _ranks(np.column_stack([rates[place] for place in ranked]))
            for place, own in zip(ranked, ranks.T, strict=True):
                rows[len(rows) - len(options) + place] |= _rank_summary(own, prob=posterior.interval_prob)
    return pd.DataFrame(rows)


def comparison_table(
    posterior: Posterior, frame: pd.DataFrame, errors: ErrorsOf | None = None, *, after: str | None = None
) -> pd.DataFrame:
    """Return pairwise comparisons of the options after each prior TKI, over the same patients.

    Returns
    -------
    pandas.DataFrame
        Columns earlier, contrast ("third vs second"), option, against, k, k_against, observed (False: one of the two
        has no cohorts after that inhibitor, so the comparison is a prediction), weights, scale ("odds_ratio", from the
        odds of `typical`; "risk_difference", on `mean`, in [-1, 1]), mean, median, low, high, prob_better: the
        posterior probability of a higher rate with the first option. With `errors` also Monte Carlo errors.

    Raises
    ------
    UsageError
        As :func:`sequence_table`.
    """
    rows = []
    for _, options in _by_row(posterior, frame, after):
        sides = [option.averaged(posterior, option.row) for option in options]
        means = [expected_rate(predictors, posterior.heterogeneity) @ share for predictors, share, _ in sides]
        for one, other in itertools.combinations(range(len(options)), 2):
            first, second = options[other], options[one]  # as in the table of contrasts: a later level vs an earlier
            predictors, share, words = sides[other]
            common = {
                "earlier": first.earlier,
                "contrast": f"{first.generation} vs {second.generation}",
                "option": first.generation,
                "against": second.generation,
                "k": first.k,
                "k_against": second.k,
                "observed": first.observed and second.observed,
                "weights": words,
            }
            ratio = profile_odds_ratio(posterior.design.link, predictors, sides[one][0], share)
            for scale, draws in (("odds_ratio", ratio), ("risk_difference", means[other] - means[one])):
                summary = summarise(draws, prob=posterior.interval_prob)
                del summary["sd"]
                better = float((draws > NO_DIFFERENCE[scale]).mean())
                rows.append(common | {"scale": scale} | summary | {"prob_better": better} | with_errors(errors, draws))
    return pd.DataFrame(rows, columns=[*COMPARISON_COLUMNS, *([] if errors is None else ERROR_COLUMNS)])


RANK_COLUMNS = ("prob_best", "mean_rank", "rank_low", "rank_high")
COMPARISON_COLUMNS = (
    *("earlier", "contrast", "option", "against", "k", "k_against", "observed", "weights"),
    *("scale", "mean", "median", "low", "high", "prob_better"),
)


def _options(posterior: Posterior, frame: pd.DataFrame, after: str | None) -> Iterator[_Option]:
    """Yield every combination, row by row of the matrix."""
    for column in (EARLIER, GENERATION):
        # A column with a single level has no effect in the model, and needs none.
        alike = column in frame and len(set(frame[column])) == 1 and frame[column].all()
        if column not in posterior.design.profiles and not alike:
            raise UsageError(
                f"the model has no effect of {column}. Use a run of the model `sequence`, or of one like it."
            )
    histories = in_order(EARLIER, frame[EARLIER])
    if after is not None and after not in histories:
        known = f"no cohort of the table has {quoted(after)} for {EARLIER}"
        guess = near_miss(after, histories)
        hint = f" Did you mean {quoted(guess)}?" if guess else ""
        raise UsageError(f"{known}; allowed: {listed(histories)}.{hint}", parameter="after")
    generations = in_order(GENERATION, frame[GENERATION])
    for earlier, generation in itertools.product(histories if after is None else (after,), generations):
        row = (frame[EARLIER] == earlier).to_numpy(dtype=np.bool_)
        yield _Option(earlier, generation, row, row & (frame[GENERATION] == generation).to_numpy(dtype=np.bool_))


def _by_row(posterior: Posterior, frame: pd.DataFrame, after: str | None) -> Iterator[tuple[str, list[_Option]]]:
    for earlier, options in itertools.groupby(_options(posterior, frame, after), lambda option: option.earlier):
        yield earlier, list(options)


def _ranks(rates: Array) -> NDArray[np.intp]:
    """Return the rank of each option in each draw, shape (draw, option); 1 is the highest rate."""
    ranks: NDArray[np.intp] = (-rates).argsort(axis=1).argsort(axis=1) + 1
    return ranks


def _rank_summary(ranks: NDArray[np.intp], *, prob: float) -> dict[str, float]:
    # Ranks are integers, and so are the ends of their interval.
    low, _, high = equal_tailed(ranks, prob=prob, occurring=True)
    values = (float((ranks == 1).mean()), float(ranks.mean()), int(low), int(high))
    return dict(zip(RANK_COLUMNS, values, strict=True))


def _cautions(matrix: pd.DataFrame, frame: pd.DataFrame) -> Iterator[str]:
    """Yield warnings on the evidence behind the cells, and the levels absent from the table."""
    cells = matrix[matrix["estimand"] == Estimand.MEAN]
    empty = int((~cells["observed"]).sum())
    one = int((cells["k"] == 1).sum())
    if empty:
        yield (
            f"{empty} of {len(cells)} cells {'has' if empty == 1 else 'have'} no cohorts: their rates are predictions "
            "of the model, marked, and no evidence."
        )
    if one:
        yield f"{one} {'cell rests' if one == 1 else 'cells rest'} on one cohort."
    yield WEIGHTING
    if several := [f"{level} ({history_words(level)})" for level in SEVERAL if level in set(cells["earlier"])]:
        yield f"Cohorts of several histories, which are no history of a patient: {listed(several)}."
    for column in (EARLIER, GENERATION):
        if missing := [level for level in LEVELS[column] if level not in set(frame[column])]:
            yield f"The table has no cohort with {column} {listed(missing)}."


def history_words(earlier: str) -> str:
    """Return a treatment history, worded for a sentence; an unknown level unchanged."""
    return HISTORIES.get(earlier, shown(earlier))


def _finding(earlier: str, options: pd.DataFrame, *, prob: float) -> str:
    """Return the options after a prior TKI, and the certainty of their order."""
    seen = [row for row in records(options) if row["observed"]]
    names = [f"{shown(row['generation'])} (k = {row['k']:,})" for row in seen]
    start = f"After {history_words(earlier)} there are cohorts of {listed(names)}"
    if len(seen) < 2:
        return f"{start} alone: nothing to compare that rests on cohorts."
    best = max(seen, key=lambda row: row["prob_best"])
    return (
        f"{start}. Over the same lines {shown(best['generation'])} most likely has the highest mean rate (probability "
        f"{probability(best['prob_best'])}): {percent(best['median'], 0)} % "
        f"({level_text(prob)} credible interval {percent_interval(best['low'], best['high'], 0)})."
    )
