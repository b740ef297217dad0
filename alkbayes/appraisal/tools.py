"""Tools of critical appraisal as TOML: domains, and the judgements that each may have, with symbol, shape and colour.

ROBINS-I, MINORS and the JBI checklists are bundled; a tool of one's own is a file of the same form.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from alkbayes.errors import SpecError, UsageError
from alkbayes.spec.faults import fault, faults_of
from alkbayes.spec.files import read_declaration
from alkbayes.spec.priors import Record
from alkbayes.text.names import near_miss, plain, quoted

TOOLS = ("robins-i", "jbi-case-series", "jbi-prevalence", "minors")
"""Bundled tools for the risk of bias."""
REPORTING_QUALITY = "reporting-quality"
"""The bundled declaration of columns that say how counts were assessed and reported; no tool for the risk of bias."""
OVERALL = "overall"
"""Domain of the judgement of a whole cohort."""
LONGEST = 100

Shape = Literal["circle", "square", "diamond", "octagon", "hexagon", "triangle"]
Text = Annotated[
    str,
    Field(pattern=r"^[^\p{C}\s](\P{C}*[^\p{C}\s])?$", max_length=LONGEST, description="a text on one line, not empty"),
]
Slug = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30, description="lower-case letters, digits and _")
]


class Judgement(Record):
    """What may be judged of a domain.

    Attributes
    ----------
    label, spellings
        Its name, and other words for it in a table; case, blanks and signs do not matter.
    symbol, shape, colour
        Its mark in figures; the symbol alone tells it from the others.
    low
        Whether, as an overall judgement, it is a low risk of bias.
    """

    label: Text
    symbol: Annotated[str, Field(pattern=r"^[^\p{C}\s]$", description="one character")]
    shape: Shape
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", description='a colour such as "#fed98e"')]
    spellings: list[Text] = Field(default_factory=list, description="a list of texts")
    low: bool = Field(default=False, description="true or false")

    @property
    def words(self) -> frozenset[str]:
        """Its label and other spellings, as :func:`alkbayes.text.names.plain` leaves them."""
        return frozenset(map(plain, (self.label, *self.spellings)))


class Domain(Record):
    """What is judged; `judgement` are its own judgements, if they are others than the tool's."""

    name: Slug
    label: Text
    judgement: list[Judgement] = Field(default_factory=list, description="tables, each under [[domain.judgement]]")


class Tool(Record):
    """A tool.

    Attributes
    ----------
    version
        Version of the file format (key `schema`); always 1.
    name, title, question
        Slug, name and purpose.
    source, doi
        Where it was published; the DOI is empty if there is none.
    prefix
        What stands before a domain's name in a column's.
    missing
        What an empty cell is called.
    domain, judgement
        Its domains in order, and the judgements of those that have none of their own.
    """

    version: int = Field(alias="schema", ge=1, le=1, description="1, the only version of the format")
    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40, description="lower-case letters, digits, -")
    ]
    title: Text
    question: Text
    source: Text
    doi: Annotated[str | None, Field(pattern=r"^10\.\S+$", description="a DOI such as 10.1136/bmj.i4919")] = None
    prefix: Literal["rob_", ""] = "rob_"
    missing: Text = "not judged"
    domain: list[Domain] = Field(min_length=1, description="tables, each under [[domain]]")
    judgement: list[Judgement] = Field(default_factory=list, description="tables, each under [[judgement]]")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if faults := [*self._faults()]:
            raise PydanticCustomError("model_faults", "{message}", {"message": "\n".join(faults)})
        return self

    def _faults(self) -> Iterator[str]:
        """Yield domains named twice or without judgements, and words and symbols that stand for two judgements."""
        names = [domain.name for domain in self.domain]
        for place, domain in enumerate(self.domain):
            if domain.name in names[:place]:
                yield fault(f"domain[{place}].name", f"found {quoted(domain.name)} again", "each name once")
            choices = self.judgements_of(domain)
            if not choices:
                yield fault(f"domain[{place}]", "no judgement", "one or more, its own or the tool's")
            for number, choice in enumerate(choices):
                others = choices[:number]
                if any(choice.symbol == other.symbol or choice.words & other.words for other in others):
                    found = f"found {quoted(choice.label)}, whose symbol or word another has"
                    yield fault(f"domain[{place}] (of {quoted(domain.name)})", found, "each symbol and word once")

    def judgements_of(self, domain: Domain) -> list[Judgement]:
        """Return the judgements that a domain may have."""
        return domain.judgement or self.judgement

    def column(self, domain: Domain) -> str:
        """Return the column of a domain."""
        return f"{self.prefix}{domain.name}"

    def short(self, domain: Domain) -> str:
        """Return what the column of a domain is called in figures: its number, as "D3", or "Overall"."""
        return "Overall" if domain.name == OVERALL else f"D{self.domain.index(domain) + 1}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of its domains."""
        return tuple(map(self.column, self.domain))

    @property
    def citation(self) -> str:
        """Its name with its source."""
        return f"{self.title}, {self.source}{f', doi:{self.doi}' if self.doi else ''}"

    def as_record(self) -> dict[str, Any]:
        """Return the tool as values that JSON can hold."""
        return self.model_dump(by_alias=True)


@cache
def bundled_tool(name: str) -> Tool:
    """Return a bundled tool."""
    path = files("alkbayes").joinpath("data", "appraisal", f"{name}.toml")
    return parse_tool(read_declaration(Path(str(path))), source=name)


def read_tool(name: str) -> Tool:
    """Return a bundled tool by its name, or one that a TOML file declares.

    Raises
    ------
    UsageError
        If there is no such tool or file.
    SpecError
        If the file breaks a rule; the message lists every fault with its key.
    """
    if name in TOOLS:
        return bundled_tool(name)
    path = Path(name)
    if not path.is_file():
        guess = near_miss(name, TOOLS)
        advice = f" Did you mean {guess}?" if guess else ""
        raise UsageError(f"found {name!r}; allowed: {', '.join(TOOLS)}, or a TOML file.{advice}", parameter="tool")
    return parse_tool(read_declaration(path), source=name)


def parse_tool(data: dict[str, Any], *, source: str) -> Tool:
    """Check the declaration of a tool; `source` names it in messages.

    Raises
    ------
    SpecError
        If it breaks a rule.
    """
    try:
        return Tool.model_validate(data)
    except ValidationError as error:
        faults = "\n".join(f"  {line}" for line in faults_of(Tool, data, error))
        raise SpecError(f"{source} is no tool of critical appraisal:\n{faults}") from error
