"""Queries and protocols: TOML files without code, strictly checked.

A query says what a search asks the registry; a protocol which studies belong to a review, which agents it is about, and
which words tell a group's treatment history. Both are data, so that another disease needs no code.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from alkbayes.errors import RegistryError
from alkbayes.registry.folder import PROTOCOL_FILE, QUERY_FILE, Folder
from alkbayes.spec.faults import faults_of
from alkbayes.spec.priors import Record
from alkbayes.text.names import shown

DEFAULT = "alk"
"""Bundled query and protocol that are used if none is named."""

MOST_BYTES = 2**20
Place = Literal["title", "conditions", "keywords", "summary", "arms", "interventions", "inclusion", "exclusion"]
"""Part of a record in which a rule may look for words."""


def _pattern(text: str) -> str:
    """Refuse what is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(str(error)) from error
    return text


Text = Annotated[str, Field(pattern=r"\S", description="a text that is not empty")]
Pattern = Annotated[str, Field(pattern=r"\S", max_length=2000), AfterValidator(_pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False, description="a list of regular expressions")]
Places = Annotated[
    tuple[Place, ...], Field(strict=False, description=f"a list of some of {', '.join(get_args(Place))}")
]
Texts = Annotated[tuple[Text, ...], Field(strict=False, description="a list of texts")]
Schema = Annotated[Literal[1], Field(description="1")]
Slug = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40, description="lower-case letters, digits, - and _")
]


class Strategy(Record):
    """One request of a search; fields that are given are joined by AND, in the registry's own syntax."""

    name: Slug
    condition: Text | None = Field(default=None, description="a text that is not empty")
    intervention: Text | None = Field(default=None, description="a text that is not empty")
    term: Text | None = Field(default=None, description="a text that is not empty")
    titles: Text | None = Field(default=None, description="a text that is not empty")
    why: Text

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self.parameters:
            raise ValueError("needs one of condition, intervention, term, titles")
        return self

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of the registry's interface, version 2."""
        given = {
            "query.cond": self.condition,
            "query.intr": self.intervention,
            "query.term": self.term,
            "query.titles": self.titles,
        }
        return {name: " ".join(value.split()) for name, value in given.items() if value}


class Query(Record):
    """A search: the union of what its strategies find."""

    schema_: Schema = Field(alias="schema")
    name: Slug
    question: Text
    strategy: Annotated[tuple[Strategy, ...], Field(strict=False, min_length=1, description="one table or more")]


class FieldRule(Record):
    """A rule on a coded field: one of the values must be in `allowed`; of `unclear` a person decides.

    `absent` is the decision where the record does not say.
    """

    kind: Literal["field"]
    id: Slug
    field: Annotated[Literal["study_type", "phase", "age"], Field(description="study_type, phase or age")]
    allowed: Texts
    unclear: Texts = ()
    absent: Annotated[Literal["exclude", "unclear"], Field(description='"exclude" or "unclear"')] = "unclear"
    reason: Text
    why: Text


class WordRule(Record):
    """A rule on words.

    `words` must be found in one of the places `where`; found in `weakly` alone, a person decides; else `otherwise`.
    With `forbidden` they must not be found in `where`: if they are, `otherwise` decides. `but_not` is taken out of the
    text first: negations, other meanings. Instead of `words`, the names of the protocol's agents may be looked for.
    """

    kind: Literal["words"]
    id: Slug
    words: Patterns = ()
    agents: bool = Field(default=False, description="true or false")
    but_not: Patterns = ()
    where: Places
    weakly: Places = ()
    forbidden: bool = Field(default=False, description="true or false")
    otherwise: Annotated[Literal["exclude", "unclear"], Field(description='"exclude" or "unclear"')] = "exclude"
    reason: Text
    why: Text

    @model_validator(mode="after")
    def _looks_for_something(self) -> Self:
        if bool(self.words) == self.agents:
            raise ValueError("needs either words, or agents = true")
        return self


Rule = Annotated[FieldRule | WordRule, Field(discriminator="kind")]


class Agent(Record):
    """An agent of the review: every name of it, the generation, and the class that results are stratified on."""

    names: Annotated[Texts, Field(min_length=1)]
    generation: str = Field(default="", description="a text")
    regimen_class: Annotated[str, Field(alias="class", description="a text")] = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any of the names as a whole word, hyphens and blanks optional."""
        return names_pattern(self.names)


class History(Record):
    """Words that tell a group's treatment history; the first that match decide."""

    line: str = Field(default="", description="a text")
    prior: str = Field(default="", description="a text")
    words: Annotated[Patterns, Field(min_length=1)]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any of the words, in any case."""
        return any_of(self.words)


class Protocol(Record):
    """Which studies belong to a review, and what their groups are."""

    schema_: Schema = Field(alias="schema")
    name: Slug
    question: Text
    rule: Annotated[tuple[Rule, ...], Field(strict=False, min_length=1, description="one table or more")]
    agents: dict[str, Agent] = Field(description="tables by agent")
    history: Annotated[tuple[History, ...], Field(strict=False, description="a list of tables")] = ()
    not_of_population: Patterns = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [rule.id for rule in self.rule]
        if twice := {each for each in ids if ids.count(each) > 1}:
            raise ValueError(f"two rules have the id {', '.join(sorted(twice))}")
        return self

    @cached_property
    def agents_pattern(self) -> re.Pattern[str]:
        """Matches any name of any agent."""
        return names_pattern([name for agent in self.agents.values() for name in agent.names])

    @cached_property
    def histories_pattern(self) -> re.Pattern[str] | None:
        """Matches the words of any history; None if the protocol tells none."""
        return any_of([word for history in self.history for word in history.words]) if self.history else None

    def agents_in(self, text: str) -> tuple[str, ...]:
        """Return the agents whose names stand in a text, in order of first appearance."""
        if not self.agents_pattern.search(text):
            return ()
        found = ((agent.pattern.search(text), name) for name, agent in self.agents.items())
        return tuple(name for _, name in sorted((hit.start(), name) for hit, name in found if hit))


def any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that matches where any of `patterns` does, in any case."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def names_pattern(names: tuple[str, ...] | list[str]) -> re.Pattern[str]:
    """Return a pattern for names as whole words, any case; hyphens, blanks and nothing are one: "PF 02341066"."""
    spelt = sorted({r"[\s-]?".join(map(re.escape, re.split(r"[\s-]+", name))) for name in names}, key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(spelt)})(?![A-Za-z0-9])", re.IGNORECASE)


def bundled(kind: Literal["query", "protocol"], name: str = DEFAULT) -> Path:
    """Return the path of a bundled query or protocol."""
    return Path(str(files("alkbayes").joinpath("data", "registry", f"{name}-{kind}.toml")))


def bundled_names() -> tuple[str, ...]:
    """Return the names of the bundled queries, each with a protocol."""
    folder = bundled("query").parent
    return tuple(sorted(path.name.removesuffix("-query.toml") for path in folder.glob("*-query.toml")))


def named_file(text: str | None, kind: Literal["query", "protocol"]) -> Path:
    """Return the path of a file named by a user, or of the bundled one of that name."""
    if text is None or text in bundled_names():
        return bundled(kind, text or DEFAULT)
    return Path(text)


def protocol_path(folder: Folder, text: str | None) -> Path:
    """Return the path of the protocol named by a user; else the folder's own, else the bundled one of its query."""
    if text is None and folder.file(PROTOCOL_FILE).exists():
        return folder.file(PROTOCOL_FILE)
    if text is None and folder.file(QUERY_FILE).exists():
        query = read_query(folder.file(QUERY_FILE))
        return bundled("protocol", query.name if query.name in bundled_names() else DEFAULT)
    return named_file(text, "protocol")


def read_query(path: Path) -> Query:
    """Return a checked query.

    Raises
    ------
    RegistryError
        If the file cannot be read or breaks a rule; the message lists every fault.
    """
    return _read(path, Query)


def read_protocol(path: Path) -> Protocol:
    """Return a checked protocol.

    Raises
    ------
    RegistryError
        If the file cannot be read or breaks a rule; the message lists every fault.
    """
    return _read(path, Protocol)


def _read[Declared: Record](path: Path, kind: type[Declared]) -> Declared:
    name = kind.__name__.lower()
    try:
        content = path.read_bytes()
        if len(content) > MOST_BYTES:
            raise RegistryError(f"{path}: found {len(content):,} bytes; allowed: {MOST_BYTES:,} at most.")
        data = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise RegistryError(
            f"{path}: cannot be read: {error.strerror or error}. Give a TOML file, or a bundled {name}: "
            f"{', '.join(bundled_names())}."
        ) from error
    except UnicodeDecodeError as error:
        raise RegistryError(f"{path}: is no UTF-8 text. Save the {name} as UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise RegistryError(f"{path}: is not valid TOML: {shown(str(error))}.") from error
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = _faults(kind, data, error)
        raise RegistryError("\n".join([f"{path} is no {name}:", *(f"  {fault}" for fault in faults)])) from error


def _faults(kind: type[Record], data: dict[str, object], error: ValidationError) -> list[str]:
    """Return every fault on a line; those of a rule of ours say what is wrong themselves."""
    ours = [
        f"{'.'.join(map(str, detail['loc'])) or 'the file'}: {detail['msg'].removeprefix('Value error, ')}."
        for detail in error.errors(include_url=False, include_input=False)
        if detail["type"] == "value_error"
    ]
    others = [fault for fault in faults_of(kind, data, error) if not ours or "value_error" not in fault]
    return ours if ours and len(ours) == error.error_count() else list(dict.fromkeys([*ours, *others]))
