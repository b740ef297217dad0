"""Model files: TOML declarations, validated strictly, that hold no code."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from alkbayes.errors import SpecError
from alkbayes.priors import LocationPrior, Positive, ProportionPrior, Record, ScalePrior
from alkbayes.vocabulary import DEFAULT_MODEL, label_of

SCHEMA = 1
COHORT = "cohort_id"
RESERVED = frozenset({"cohort", "chain", "draw", "theta", "p", "alpha", "rho", "responders", "n"})
"""Names that the posterior gives a meaning, so that no effect can have them."""

Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Binomial(Record):
    """Responders of a cohort are binomial given its logit."""

    family: Literal["binomial"]
    link: Literal["logit"]


class BetaBinomial(Record):
    """Responders of a cohort are beta-binomial: its rate varies about expit(theta) with intraclass correlation rho."""

    family: Literal["beta_binomial"]
    link: Literal["logit"]
    rho_prior: ProportionPrior
    why: Text


class Intercept(Record):
    """Logit of the reference: every fixed effect at its reference level, every exchangeable effect at its average."""

    prior: LocationPrior
    why: Text


class FixedEffect(Record):
    """Difference in logits of each level from a reference level."""

    kind: Literal["fixed"]
    column: Column
    reference: Text
    prior: LocationPrior
    why: Text

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the evidence table that the effect reads."""
        return (self.column,)


class ExchangeableEffect(Record):
    """Levels that are like draws from one normal distribution; several columns make an interaction of their levels."""

    kind: Literal["exchangeable"]
    column: Column | Annotated[list[Column], Field(min_length=2, max_length=2)]
    sd_prior: ScalePrior
    why: Text

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the evidence table that the effect reads."""
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)


class NormalHeterogeneity(Record):
    """Normal differences on the logit scale between the units of a column."""

    distribution: Literal["normal"]
    column: Column
    sd_prior: ScalePrior
    why: Text


class StudentTHeterogeneity(Record):
    """Student t differences on the logit scale between the units of a column: single odd units pull less."""

    distribution: Literal["student_t"]
    nu: Positive
    column: Column
    sd_prior: ScalePrior
    why: Text


Likelihood = Annotated[Binomial | BetaBinomial, Field(discriminator="family")]
Effect = Annotated[FixedEffect | ExchangeableEffect, Field(discriminator="kind")]
Heterogeneity = Annotated[NormalHeterogeneity | StudentTHeterogeneity, Field(discriminator="distribution")]


class Spec(Record):
    """A model file: what is pooled, over which effects, with which priors.

    Attributes
    ----------
    version
        Version of the file format, the key `schema`; always 1.
    name, question
        Slug and one line on what the model answers.
    likelihood, intercept, effect, heterogeneity
        The parts of the model, see the classes of these names.
    """

    version: Literal[1] = Field(alias="schema")
    name: Slug
    question: Text
    likelihood: Likelihood
    intercept: Intercept
    effect: list[Effect] = Field(default_factory=list)
    heterogeneity: list[Heterogeneity] = Field(default_factory=list, max_length=2)

    @model_validator(mode="before")
    @classmethod
    def _name_the_allowed_keys(cls, data: object) -> object:
        allowed = {field.alias or name for name, field in cls.model_fields.items()}
        if isinstance(data, dict) and (unknown := [key for key in data if key not in allowed]):
            raise _fault(f"unknown key {', '.join(map(repr, unknown))}; allowed keys: {', '.join(sorted(allowed))}")
        return data

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        labels = [effect_label(effect.columns) for effect in self.effect]
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise _fault(
                f"effect: {', '.join(repeated)} is declared twice; allowed: each column or pair of columns once"
            )
        named = {column: effect_label([column]) for column in self.columns}
        if taken := [column for column, label in named.items() if label in RESERVED or column in RESERVED]:
            raise _fault(
                f"effect, heterogeneity: {', '.join(taken)} has a meaning of its own; name the column otherwise"
            )
        single = {effect.column for effect in self.effect if isinstance(effect.column, str)}
        for effect in self.effect:
            if missing := [column for column in effect.columns if column not in single]:
                raise _fault(
                    f"effect: the interaction {effect_label(effect.columns)} needs {' and '.join(missing)} as an "
                    "effect of its own beside it; add it"
                )
        units = [term.column for term in self.heterogeneity]
        if len(set(units)) < len(units) or len([unit for unit in units if unit != COHORT]) > 1:
            raise _fault(
                f"heterogeneity: found {', '.join(units)}; allowed: one grouping column such as trial, and {COHORT}, "
                "each at most once"
            )
        if clash := single.intersection(units):
            raise _fault(f"heterogeneity: {', '.join(sorted(clash))} is an effect too; allowed: one or the other")
        if isinstance(self.likelihood, BetaBinomial) and COHORT in units:
            raise _fault(
                f"heterogeneity: {COHORT} beside the family beta_binomial, which already lets cohorts differ; "
                "leave one out"
            )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that an evidence table needs for this model beside the three basic ones, each once."""
        named = [column for effect in self.effect for column in effect.columns]
        named += [term.column for term in self.heterogeneity if term.column != COHORT]
        return tuple(dict.fromkeys(named))


def effect_label(columns: Sequence[str]) -> str:
    """Return what an effect is called in results, such as "line" or "line:generation"."""
    return ":".join(label_of(column) for column in columns)


def _fault(message: str) -> PydanticCustomError:
    # The message is passed as context: braces in it are the user's own and no placeholders.
    return PydanticCustomError("model_fault", "{message}", {"message": message})


def models_folder() -> Path:
    """Return the folder of the bundled model files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def model_names() -> tuple[str, ...]:
    """Return the names of the bundled models, sorted, the default first."""
    names = sorted(path.stem for path in models_folder().glob("*.toml"))
    return (DEFAULT_MODEL, *(name for name in names if name != DEFAULT_MODEL))


def model_path(model: str) -> Path:
    """Return the file of a bundled model's name, or of a path.

    Raises
    ------
    SpecError
        If there is no such model or file.
    """
    if model.endswith(".toml") or "/" in model or "\\" in model:
        path = Path(model)
        if not path.is_file():
            names = ", ".join(model_names())
            raise SpecError(f"{model}: there is no such file. Give a model file (TOML) or one of: {names}.")
        return path
    if model not in model_names():
        close = difflib.get_close_matches(model, model_names(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SpecError(
            f"there is no model {model!r}.{hint} Models: {', '.join(model_names())}; or give the path of a file that "
            "ends in .toml."
        )
    return models_folder() / f"{model}.toml"


def read_spec(path: Path) -> Spec:
    """Read and check a model file.

    Raises
    ------
    SpecError
        If the file cannot be read or breaks a rule; lists every fault with the path to its key, what was found and what
        is allowed.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = tomllib.loads(text)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8 text (byte {error.start}); save the model file as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: is not valid TOML: {error}.") from error
    return parse_spec(data, source=str(path))


def parse_spec(data: dict[str, Any], *, source: str) -> Spec:
    """Check a model declaration; `source` is what error messages call it.

    Raises
    ------
    SpecError
        If the declaration breaks a rule.
    """
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        # Each branch of a union reports for itself; a reader needs the key once.
        faults = dict.fromkeys(_describe(data, detail) for detail in error.errors(include_url=False))
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise SpecError(f"{source}: this is not a valid model file:\n{listed}") from error


def _describe(data: dict[str, Any], detail: Any) -> str:
    """Return one fault as `path: found ...; allowed: ...`."""
    path = ""
    here: Any = data
    for part in detail["loc"]:
        # Pydantic puts the tag of a union into the path: `effect.0.fixed.prior.normal.sd`. A reader's file has no
        # such key.
        if isinstance(part, int):
            path, here = f"{path}[{part}]", here[part] if isinstance(here, list) and part < len(here) else None
        elif isinstance(here, dict) and part in here:
            path, here = f"{path}.{part}" if path else part, here[part]
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            path = f"{path}.{part}" if path else part
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return f"{path}: is missing; it must be given"
        case "unknown_key" | "model_fault":
            return f"{path}: {detail['msg']}" if path else detail["msg"]
        case "union_tag_not_found":
            return f"{path}: {context['discriminator']} is missing; it must be given"
        case "union_tag_invalid":
            tag = context["discriminator"].strip("'")
            return f"{path}.{tag}: found {context['tag']!r}; allowed: {context['expected_tags']}"
    allowed = detail["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    if detail["type"] == "string_pattern_mismatch":
        allowed = (
            "letters, digits and hyphens, lower case" if path == "name" else "the name of a column (letters, digits, _)"
        )
    return f"{path}: found {here!r}; allowed: {allowed}"
