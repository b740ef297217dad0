"""Model files: strictly validated TOML declarations without code."""

import difflib
import json
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from alkbayes.alk.levels import DEFAULT_MODEL, LEVELS, MEDIAN_MODEL
from alkbayes.errors import SpecError
from alkbayes.evidence.declared import Declared, DeclaredColumn
from alkbayes.evidence.outcomes import ORR, Outcome
from alkbayes.spec.faults import as_written, fault, faults_of, key_text
from alkbayes.spec.files import family_of, read_declaration
from alkbayes.spec.outcome import ALLOWED, LONGEST, NOUNS, Column, Level, OutcomeTable, Phrase
from alkbayes.spec.priors import Finite, LocationPrior, Normal, Positive, ProportionPrior, Record, ScalePrior, Share
from alkbayes.text.names import near_miss
from alkbayes.vocabulary import TOTAL, is_missing, joined_key, label_of, slug_of

SCHEMA = 1
LOG_MEDIAN = "log_median"
"""Family of models for medians, :mod:`alkbayes.spec.medians`."""
COHORT = "cohort_id"
PROSE = frozenset({"question", "step", "why", *NOUNS})
"""Keys of a model file that are for readers only."""
RESERVED = frozenset(
    {"cohort", "chain", "draw", "theta", "p", "alpha", "rho", "responders", "n", "all"}
    | {"observed", "expected", "mean", "median", "sd", "low", "high", "shrinkage", "exchangeable"}
)
"""Names with a meaning in the posterior or in result tables, not allowed for columns of a model."""

OTHER_TABLES = {"resistance": "the table of resistance mutations"}
"""Bundled models for tables other than cohorts, each fitted by the command of its name."""

# Descriptions state the allowed values in the words of an error message.
Text = Annotated[str, Field(pattern=r"\S", description="a text that is not empty")]
Why = Annotated[str, Field(pattern=r"\S", description="the reason for this prior, a text that is not empty")]
Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=60,
        description="lower-case letters, digits and hyphens, no hyphen first, 60 characters at most",
    ),
]


class Binomial(Record):
    """Binomial likelihood of a cohort's responders, with its rate the inverse link of theta."""

    family: Literal["binomial"]
    link: Literal["logit", "probit", "cloglog"]


class BetaBinomial(Record):
    """Beta-binomial likelihood: rates vary around the inverse link of theta, with intraclass correlation rho."""

    family: Literal["beta_binomial"]
    link: Literal["logit", "probit", "cloglog"]
    rho_prior: ProportionPrior = Field(description='a prior such as { dist = "beta", a = 1.0, b = 15.0 }')
    why: Why


class Intercept(Record):
    """Linear predictor with every fixed effect at its reference level and every exchangeable effect at its average."""

    prior: LocationPrior = Field(description='a prior such as { dist = "normal", mean = 0.0, sd = 1.0 }')
    why: Why


class FixedEffect(Record):
    """Difference of each level from a reference level on the scale of the link."""

    kind: Literal["fixed"]
    column: Column
    reference: Text
    prior: LocationPrior = Field(description='a prior such as { dist = "normal", mean = 0.0, sd = 1.0 }')
    why: Why

    @property
    def columns(self) -> tuple[str, ...]:
        """Evidence columns that define the effect."""
        return (self.column,)


class NumericEffect(Record):
    """Straight line in a number on the scale of the link, zero at its centre; the prior is for one step.

    `step` says the step in words, such as "per 10 years".
    """

    kind: Literal["numeric"]
    column: Column
    centre: Finite
    scale: Positive
    step: Phrase = Field(description='the scale in words, such as "per 10 years", 60 characters at most')
    missing: Literal["refuse", "leave_out"] = "refuse"
    prior: LocationPrior = Field(description='a prior such as { dist = "normal", mean = 0.0, sd = 0.5 }')
    why: Why

    @property
    def columns(self) -> tuple[str, ...]:
        """Evidence columns that define the effect."""
        return (self.column,)


class Interaction(Record):
    """Products of two fixed or numeric effects, each with a coefficient of its own, without pooling."""

    kind: Literal["interaction"]
    column: Annotated[list[Column], Field(min_length=2, max_length=2)] = Field(
        description="a list of the names of two columns"
    )
    prior: LocationPrior = Field(description='a prior such as { dist = "normal", mean = 0.0, sd = 0.5 }')
    why: Why

    @property
    def columns(self) -> tuple[str, ...]:
        """Evidence columns that define the effect."""
        return tuple(self.column)


class ExchangeableEffect(Record):
    """Levels drawn from one normal distribution; several columns define an interaction."""

    kind: Literal["exchangeable"]
    column: Column | Annotated[list[Column], Field(min_length=2, max_length=2)] = Field(
        description="the name of a column (on one line, no blank first or last), or a list of two of them"
    )
    sd_prior: ScalePrior = Field(description='a prior such as { dist = "half_normal", sd = 0.5 }')
    why: Why

    @property
    def columns(self) -> tuple[str, ...]:
        """Evidence columns that define the effect."""
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)


class NormalHeterogeneity(Record):
    """Normal heterogeneity between the units of a column, on the scale of the link.

    With `by` each level of that column has its own tau; the logs of these are exchangeable about that of `sd_prior`,
    with an SD of `spread_prior`.
    """

    distribution: Literal["normal"]
    column: Column
    by: Column | None = Field(default=None, description="the name of a column of levels")
    spread_prior: ScalePrior | None = Field(
        default=None, description='a prior such as { dist = "half_normal", sd = 0.5 }, only beside by'
    )
    sd_prior: ScalePrior = Field(description='a prior such as { dist = "half_normal", sd = 0.5 }')
    why: Why


class StudentTHeterogeneity(Record):
    """Student t heterogeneity between the units of a column, robust to outlying units; otherwise as the normal one."""

    distribution: Literal["student_t"]
    nu: Positive
    column: Column
    by: Column | None = Field(default=None, description="the name of a column of levels")
    spread_prior: ScalePrior | None = Field(
        default=None, description='a prior such as { dist = "half_normal", sd = 0.5 }, only beside by'
    )
    sd_prior: ScalePrior = Field(description='a prior such as { dist = "half_normal", sd = 0.5 }')
    why: Why


class ColumnTable(Record):
    """Heading of a column for readers, and its levels in the order of every table, figure and contrast."""

    label: Phrase | None = Field(default=None, description=ALLOWED.format(LONGEST))
    levels: Annotated[list[Level], Field(min_length=1)] | None = Field(
        default=None, description="a list of levels as the table has them, each a text on one line"
    )


class ExnexHeterogeneity(Record):
    """Units that are exchangeable, or on their own (EXNEX).

    With probability `exchangeable` a unit deviates normally from the linear predictor, with the SD of `sd_prior`; if
    not, `nex_prior` is the prior of its own intercept, on the scale of the link. `exchangeable_of` has the probability
    of units that differ in it; new units have `exchangeable`.

    References
    ----------
    Neuenschwander et al. (2016), doi:10.1002/pst.1730, with one exchangeability distribution.
    """

    by: ClassVar[None] = None
    spread_prior: ClassVar[None] = None

    distribution: Literal["exnex"]
    column: Column
    exchangeable: Share
    exchangeable_of: dict[str, Share] = Field(
        default_factory=dict,
        description='a table from units to probabilities above 0 and below 1, such as { "basket A" = 0.8 }',
    )
    nex_prior: Normal = Field(description='a prior { dist = "normal", mean = -1.4, sd = 2.0 }')
    sd_prior: ScalePrior = Field(description='a prior such as { dist = "half_normal", sd = 1.0 }')
    why: Why


Likelihood = Annotated[Binomial | BetaBinomial, Field(discriminator="family")]
Effect = Annotated[FixedEffect | NumericEffect | ExchangeableEffect | Interaction, Field(discriminator="kind")]
Heterogeneity = Annotated[
    NormalHeterogeneity | StudentTHeterogeneity | ExnexHeterogeneity, Field(discriminator="distribution")
]


class Declaration[L: Record](Record):
    """Contents common to all model files, whatever the likelihood.

    Attributes
    ----------
    version
        Version of the file format (key `schema`); always 1.
    name, question
        Slug, and question of the model in one line.
    likelihood, intercept, effect, heterogeneity
        Parts of the model; see the classes of these names.
    column_tables
        The tables `columns`, by column.
    """

    version: int = Field(alias="schema", ge=SCHEMA, le=SCHEMA, description=f"{SCHEMA}, the only version of the format")
    name: Slug
    question: Text
    likelihood: L = Field(description="a table, [likelihood]")
    intercept: Intercept = Field(description="a table, [intercept]")
    column_tables: dict[Column, ColumnTable] = Field(
        default_factory=dict, alias="columns", description="tables, each under [columns.NAME]"
    )
    effect: list[Effect] = Field(default_factory=list, description="tables, each under [[effect]]")
    heterogeneity: list[Heterogeneity] = Field(default_factory=list, description="tables, each under [[heterogeneity]]")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        faults = [*self._own_faults(), *_name_faults(self), *_column_faults(self)]
        faults += [*_effect_faults(self), *_heterogeneity_faults(self)]
        # Name collisions add nothing for a column that is declared twice.
        if faults := faults or [*_collisions(self)]:
            # Passed as context, so that braces in the user's text are not placeholders.
            raise PydanticCustomError("model_faults", "{message}", {"message": "\n".join(faults)})
        return self

    def _own_faults(self) -> Iterator[str]:
        """Yield faults in parts specific to this kind of model."""
        yield from ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Required evidence columns besides the basic ones and the outcome's, without duplicates."""
        named = [column for effect in self.effect for column in effect.columns]
        named += [term.column for term in self.heterogeneity if term.column != COHORT]
        named += [term.by for term in self.heterogeneity if term.by is not None]
        return tuple(dict.fromkeys(named))

    @property
    def numbers(self) -> tuple[NumericEffect, ...]:
        """Effects of numbers."""
        return tuple(effect for effect in self.effect if isinstance(effect, NumericEffect))

    @property
    def declared(self) -> Declared:
        """What the file says of columns for readers."""
        return Declared(
            {
                name: DeclaredColumn(table.label or "", tuple(table.levels or ()))
                for name, table in self.column_tables.items()
            }
        )

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns in which no cell may be empty: all but numbers, which :mod:`alkbayes.model.covariates` checks."""
        numeric = {effect.column for effect in self.numbers}
        return tuple(column for column in self.columns if column not in numeric)

    @property
    def content_sha256(self) -> str:
        """Hash of the keys stated in the file, except for the prose (`PROSE`), which no number depends on."""
        stated = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        levels = {name: table["levels"] for name, table in stated.pop("columns", {}).items() if table.get("levels")}
        hashed = _without_prose(stated) | ({"columns": levels} if levels else {})
        return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


class Spec(Declaration[Likelihood]):
    """Model file for response rates: outcome, effects and priors.

    `outcome_table` is the table `outcome`, or None.
    """

    outcome_table: OutcomeTable | None = Field(default=None, alias="outcome", description="a table, [outcome]")

    @property
    def outcome(self) -> Outcome:
        """Outcome counted: objective responses unless the file names another."""
        counted = ORR if self.outcome_table is None else self.outcome_table.outcome
        return replace(counted, declared=self.declared)

    def _own_faults(self) -> Iterator[str]:
        return _outcome_faults(self)


def _without_prose(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_prose(entry) for key, entry in value.items() if key not in PROSE}
        case list():
            return [_without_prose(entry) for entry in value]
        case _:
            return value


def exchangeable_name(label: str) -> str:
    """Return the name of the variable that says which units of a column are exchangeable."""
    return f"exchangeable_{label}"


def effect_label(columns: Sequence[str], table: Iterable[str]) -> str:
    """Return an effect's name in the results of a table with these columns, such as "line:generation"."""
    return joined_key(label_of(column, table) for column in columns)


def _declared(spec: Declaration[Any]) -> Iterator[tuple[str, str]]:
    """Yield each column of a model with its key's path."""
    for position, effect in enumerate(spec.effect):
        yield from ((f"effect[{position}].column", column) for column in effect.columns)
    for position, term in enumerate(spec.heterogeneity):
        yield f"heterogeneity[{position}].column", term.column
        if term.by is not None:
            yield f"heterogeneity[{position}].by", term.by


def _outcome_faults(spec: Spec) -> Iterator[str]:
    """Yield faults of the outcome's columns, and uses of one of them elsewhere in the model."""
    outcome = spec.outcome
    if outcome.responders == outcome.n:
        yield fault("outcome.n", f"found {as_written(outcome.n)} again, as in outcome.responders", "another column")
    if COHORT in outcome.columns:
        yield fault("outcome", f"found {as_written(COHORT)}", "columns of counts")
    for path, column in _declared(spec):
        if column in outcome.columns and column not in {COHORT, *ORR.columns}:
            yield fault(path, f"found {as_written(column)}, which [outcome] counts", "any other column")


def _name_faults(spec: Declaration[Any]) -> Iterator[str]:
    """Yield columns with names not allowed for their use."""
    first = {column: path for path, column in reversed([*_declared(spec)])}
    for column, path in first.items():
        if column == COHORT:
            if path.startswith("effect") or path.endswith(".by"):
                advice = "How cohorts differ stands under [[heterogeneity]]." if path.startswith("effect") else ""
                yield fault(path, f"found {as_written(column)}", "a column whose values several cohorts share", advice)
        elif column in RESERVED or label_of(column) in RESERVED:
            found = f"found {as_written(column)}, a name with a meaning of its own"
            meant = f'Did you mean "{COHORT}"?' if column == label_of(COHORT) else "Rename the column in your table."
            yield fault(path, found, "any other column", meant)


def _column_faults(spec: Declaration[Any]) -> Iterator[str]:
    """Yield faults of what is declared of columns."""
    numbers = {effect.column for effect in spec.numbers}
    for name, table in spec.column_tables.items():
        path = f"columns.{key_text(name)}"
        levels = table.levels or []
        if table.label is None and table.levels is None:
            yield fault(path, "found neither", "label, levels or both")
        if name in {COHORT, *ORR.columns}:
            yield fault(path, f"found {as_written(name)}", "a column of levels or numbers")
        if levels and name in numbers:
            yield fault(f"{path}.levels", "found levels of a number", "label alone", "A number has no levels.")
        if twice := [level for place, level in enumerate(levels) if level in levels[:place]]:
            yield fault(f"{path}.levels", f"found {as_written(twice[0])} twice", "each level once")
        if empty := [level for level in levels if is_missing(level)]:
            found = f"found {as_written(empty[0])}, which says that a cell of a table is missing"
            yield fault(f"{path}.levels", found, "any other text")


def _effect_faults(spec: Declaration[Any]) -> Iterator[str]:
    """Yield faults between effects, and unknown reference levels."""
    single = {effect.columns[0]: effect for effect in spec.effect if len(effect.columns) == 1}
    first: dict[frozenset[str], int] = {}
    for position, effect in enumerate(spec.effect):
        path, columns = f"effect[{position}].column", frozenset(effect.columns)
        found = f"found {as_written(effect.column)}"
        if len(columns) < len(effect.columns):
            yield fault(path, found, "two different columns")
        elif columns in first:
            again = f"{found} again, as in effect[{first[columns]}]"
            yield fault(path, again, "each column, and each pair of columns, once")
        else:
            first[columns] = position
        if alone := [as_written(column) for column in dict.fromkeys(effect.columns) if column not in single]:
            allowed = "two columns that each have an effect of their own beside it"
            yield fault(path, found, allowed, f"Add an [[effect]] of {' and one of '.join(alone)}.")
        elif kind := _wrong_kind(effect, single):
            yield fault(path, found, *kind)
        levels = spec.declared.levels(effect.columns[0]) or LEVELS.get(effect.columns[0], ())
        if isinstance(effect, FixedEffect) and levels and effect.reference not in levels:
            guess = near_miss(effect.reference, levels)
            found = f"found {as_written(effect.reference)}"
            advice = f'Did you mean "{guess}"?' if guess else ""
            yield fault(
                f"effect[{position}].reference (of {as_written(effect.column)})", found, ", ".join(levels), advice
            )


def _wrong_kind(effect: Effect, single: Mapping[str, Effect]) -> tuple[str, str] | None:
    """Return what is allowed and what to do if an interaction is of effects that it cannot combine."""
    others = [single[column] for column in effect.columns]
    numbers = [as_written(other.column) for other in others if isinstance(other, NumericEffect)]
    pooled = [as_written(other.column) for other in others if isinstance(other, ExchangeableEffect)]
    if isinstance(effect, Interaction) and pooled:
        fixed = f'make {" and ".join(pooled)} "fixed"'
        advice = f"M{fixed[1:]}." if numbers else f'Use kind = "exchangeable" with an sd_prior, or {fixed}.'
        return 'two columns whose own effects are "fixed" or "numeric"', advice
    if isinstance(effect, ExchangeableEffect) and len(others) > 1 and numbers:
        return "two columns of levels", f'For {" and ".join(numbers)} use kind = "interaction" with a prior.'
    return None


def _heterogeneity_faults(spec: Declaration[Any]) -> Iterator[str]:
    """Yield faults between heterogeneity terms, and between them and the rest of the model."""
    effects = {effect.columns[0]: place for place, effect in enumerate(spec.effect) if len(effect.columns) == 1}
    first: dict[str, int] = {}
    for position, term in enumerate(spec.heterogeneity):
        path, found = f"heterogeneity[{position}].column", f"found {as_written(term.column)}"
        others = [column for column in first if column != COHORT]
        if term.column in first:
            yield fault(path, f"{found} again, as in heterogeneity[{first[term.column]}]", "each column once")
        elif term.column != COHORT and others:
            allowed = f"one column that groups cohorts, such as trial, and {COHORT}"
            yield fault(path, f"{found} beside {as_written(others[0])}", allowed)
        first.setdefault(term.column, position)
        if term.column in effects and term.column != COHORT:
            also = f"{found}, which effect[{effects[term.column]}] has too"
            yield fault(path, also, "a column that has no effect", "Delete one of the two.")
        yield from _by_faults(position, term, {effect.column for effect in spec.numbers})
        if isinstance(term, ExnexHeterogeneity):
            yield from _exnex_faults(position, spec)
        elif term.column == COHORT and isinstance(spec.likelihood, BetaBinomial):
            beside = f'{found} beside the family "beta_binomial", by which cohorts differ already'
            yield fault(path, beside, "a column that groups cohorts, such as trial")


def _exnex_faults(position: int, spec: Declaration[Any]) -> Iterator[str]:
    """Yield parts of a model that units which are exchangeable or on their own cannot stand beside."""
    path = f"heterogeneity[{position}].distribution"
    if len(spec.heterogeneity) > 1:
        advice = "Delete the others: a unit on its own shares nothing with the rest of its group."
        yield fault(path, 'found "exnex" beside other heterogeneity', '"exnex" as the only [[heterogeneity]]', advice)
    if isinstance(spec.likelihood, BetaBinomial):
        beside = 'found "exnex" beside the family "beta_binomial"'
        yield fault(path, beside, '"exnex" with the family "binomial"', 'Set likelihood.family to "binomial".')


def _by_faults(position: int, term: Heterogeneity, numbers: Collection[str]) -> Iterator[str]:
    """Yield faults of a heterogeneity by level."""
    path = f"heterogeneity[{position}]"
    if term.by is None and term.spread_prior is not None:
        yield fault(f"{path}.spread_prior", "found it without by", "only beside by, the column whose levels differ")
    if term.by is None:
        return
    if term.spread_prior is None:
        needed = 'a prior such as { dist = "half_normal", sd = 0.5 }, for the SD of the logs of the taus'
        yield f"{path}.spread_prior (of {as_written(term.column)}): is missing; needed: {needed}."
    if term.by == term.column:
        yield fault(f"{path}.by", f"found {as_written(term.by)}, as in column", "a column of levels")
    elif term.by in numbers:
        yield fault(f"{path}.by", f"found {as_written(term.by)}, a number", "a column of levels")


def _collisions(spec: Declaration[Any]) -> Iterator[str]:
    """Yield columns whose names in results would collide with another part of the model."""
    parts: list[tuple[str, str, set[str]]] = []
    for position, effect in enumerate(spec.effect):
        slug = slug_of(effect_label(effect.columns, spec.columns))
        names = {slug, f"{slug}_contrast", f"beta_{slug}", f"raw_{slug}", f"sd_{slug}", f"effect_{slug}"}
        parts.append((f"effect[{position}]", as_written(effect.column), names))
    for position, term in enumerate(spec.heterogeneity):
        label = slug_of(label_of(term.column, spec.columns))
        names = {label, f"tau_{label}", f"z_{label}"}
        if isinstance(term, ExnexHeterogeneity):
            names.add(exchangeable_name(label))
        if term.by is not None:
            of_level = f"tau_{label}_by_{slug_of(label_of(term.by, spec.columns))}"
            names |= {f"spread_{label}", f"raw_tau_{label}", of_level, f"{of_level}_level", f"tau_{label}_contrast"}
        parts.append((f"heterogeneity[{position}]", as_written(term.column), names))
    taken = dict.fromkeys((TOTAL, f"tau_{TOTAL}", f"z_{TOTAL}"), "the heterogeneity in all")
    for path, column, names in parts:
        if clash := sorted(names & taken.keys()):
            found = f"found {column}, for which results would have the name {clash[0]}, as for {taken[clash[0]]}"
            yield fault(f"{path}.column", found, "a column whose name stands apart", "Rename it in your table.")
        taken |= dict.fromkeys(names, path)


def models_folder() -> Path:
    """Return the folder of bundled model files, in the installed package or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def model_names() -> tuple[str, ...]:
    """Return the names of the bundled response-rate models, sorted, with the default first."""
    names = sorted(path.stem for path in models_folder().glob("*.toml") if path.stem != MEDIAN_MODEL)
    return (DEFAULT_MODEL, *(name for name in names if name != DEFAULT_MODEL))


def other_model_path(model: str) -> Path:
    """Return the file of a bundled model for another table, by its name in `OTHER_TABLES`."""
    return models_folder() / "other-tables" / f"{model}.toml"


def model_path(model: str) -> Path:
    """Return the model file for a bundled model's name, or for a path.

    Raises
    ------
    SpecError
        If there is no such model or file, or the model is for a table other than cohorts.
    """
    if model in OTHER_TABLES:
        raise SpecError(
            f"the model {as_written(model)} is none of cohorts: it reads {OTHER_TABLES[model]}. Fit it with: "
            f"alkbayes {model}. Show it with: alkbayes models {model}."
        )
    if model.endswith(".toml") or "/" in model or "\\" in model:
        return _file(Path(model))
    if model not in (*model_names(), MEDIAN_MODEL):
        close = difflib.get_close_matches(model, model_names(), n=1, cutoff=0.75)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise SpecError(
            f"there is no model {as_written(model)}.{hint} Models: {', '.join(model_names())}; of medians: "
            f"{MEDIAN_MODEL}; or give the path of a file that ends in .toml."
        )
    return models_folder() / f"{model}.toml"


def _file(path: Path) -> Path:
    """Return `path` if it is a regular file; a pipe can be read only once, and a run keeps a copy."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        names = ", ".join(model_names())
        raise SpecError(f"{path}: there is no such file. Give a model file (TOML) or one of: {names}.") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SpecError(f"{as_written(str(path))}: cannot be read: no file can have this name.") from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise SpecError(f"{path}: is {what}; give the path of a model file (TOML).")
    return path


def read_spec(path: Path) -> Spec:
    """Read and check a model file for response rates.

    Raises
    ------
    SpecError
        If the file cannot be read or breaks a rule; the message lists every fault with its key, the value found and
        those allowed.
    """
    return parse_spec(read_declaration(path), source=str(path))


def parse_spec(data: dict[str, Any], *, source: str) -> Spec:
    """Check the declaration of a response-rate model; `source` names it in error messages.

    Raises
    ------
    SpecError
        If the declaration breaks a rule, or is for medians.
    """
    if family_of(data) == LOG_MEDIAN:
        raise SpecError(
            f'{source}: this is a model of medians (likelihood.family is "{LOG_MEDIAN}"), not of response rates. '
            f"Fit it with: alkbayes pfs {source}"
        )
    return parse(Spec, data, source=source)


def parse[S: Declaration[Any]](kind: type[S], data: dict[str, Any], *, source: str) -> S:
    """Check a declaration by the rules of model class `kind`.

    Raises
    ------
    SpecError
        If the declaration breaks a rule.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = faults_of(kind, data, error)
        if other := [line for line in faults if line.startswith("schema: found ")]:
            faults = tuple(other)  # by another version's rules, the rest may be right
        counted = " ([0] is the first)" if any("]" in line.partition(":")[0] for line in faults) else ""
        listed = "\n".join(f"  {line}" for line in faults)
        raise SpecError(f"{source}: this is not a valid model file{counted}:\n{listed}") from error
