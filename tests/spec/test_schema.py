"""Model files: the bundled ones, what is refused and in which words, and a user's own against a user's table.

Each file in `fixtures/models/bad` has one thing wrong; the file beside it that ends in `.txt` has the whole message.
"""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkbayes.alk.levels import DEFAULT_MODEL
from alkbayes.errors import EvidenceError, SpecError
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.model.design import build_design
from alkbayes.spec.faults import as_written
from alkbayes.spec.priors import Record
from alkbayes.spec.schema import RESERVED, Spec, model_names, model_path, models_folder, parse_spec, read_spec

FIXTURES = Path(__file__).parents[1] / "fixtures" / "models"
BAD = sorted((FIXTURES / "bad").glob("*.toml"))
GOOD = FIXTURES / "good"
JARGON = (
    *(
        "Input",
        "should be",
        "valid string",
        "union",
        "tag",
        "discriminator",
        "Literal",
        "pydantic",
        "dict",
        "None",
        "True",
    ),
    *("BaseModel", "ctx", "type=", "constrained", "NoneType", "Traceback", "object at 0x", "model_type", "instance"),
)
"""Words of the library and of Python that mean nothing to somebody who wrote a model file."""

FULL = tomllib.loads((GOOD / "crlf.toml").read_text(encoding="utf-8"))


def refusal(data: dict[str, Any]) -> list[str]:
    """Return the faults of a declaration."""
    with pytest.raises(SpecError) as caught:
        parse_spec(data, source="mine.toml")
    head, *lines = str(caught.value).split("\n")
    assert head in {
        "mine.toml: this is not a valid model file:",
        "mine.toml: this is not a valid model file ([0] is the first):",
    }
    return [line.removeprefix("  ") for line in lines]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the full model with the key at `path`, such as "effect.0.prior.sd", set to `value`."""
    data = copy.deepcopy(FULL)
    *parents, key = path.split(".")
    here: Any = data
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here[part]
    here[key] = value
    return data


# the bundled models


def test_the_bundled_models_with_the_default_first() -> None:
    assert model_names() == (
        "sequence",
        *(
            "agent",
            "beta-binomial",
            "cloglog",
            "complete-response",
            "discontinuation",
            "generation",
            "grade3-adverse-events",
        ),
        *("intracranial", "line", "line-by-generation", "line-generation", "overall", "prior-tki", "probit", "robust"),
        "serious-adverse-events",
    )
    assert model_names()[0] == DEFAULT_MODEL


@pytest.mark.parametrize("name", model_names())
def test_a_bundled_model_is_valid_has_its_file_s_name_and_gives_reasons(
    name: str, evidence_for: Callable[[Spec], Evidence]
) -> None:
    path = model_path(name)
    spec = read_spec(path)
    assert path == models_folder() / f"{spec.name}.toml"
    reasons = [spec.intercept.why, *(part.why for part in (*spec.effect, *spec.heterogeneity))]
    if spec.likelihood.family == "beta_binomial":
        reasons.append(spec.likelihood.why)
    assert all(len(reason.split()) > 4 for reason in reasons)
    text = path.read_text(encoding="utf-8")
    assert text.count("prior = ") == text.count("why = ") == len(reasons)
    notes = build_design(spec, evidence_for(spec)).notes
    assert [note.split(" have ")[0] for note in notes] == (["agent: asp3026 and neladalkib"] if name == "agent" else [])


@pytest.mark.parametrize("name", model_names())
def test_round_trip(name: str) -> None:
    spec = read_spec(model_path(name))
    assert parse_spec(spec.model_dump(by_alias=True), source="dumped") == spec
    assert parse_spec(spec.model_dump(by_alias=True, mode="json"), source="dumped") == spec


@pytest.mark.parametrize("name", ["bom", "crlf", "integers"])
def test_a_byte_order_mark_windows_line_ends_and_whole_numbers_are_fine(name: str) -> None:
    assert read_spec(GOOD / f"{name}.toml") == parse_spec(FULL, source="crlf")


# what is refused


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_in_exactly_these_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(SpecError) as caught:
        read_spec(Path(path.name))
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert f"{message}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert message.startswith(f"{path.name}: ")
    assert message.isprintable() or set(message) - {"\n"} == {mark for mark in message if mark.isprintable()}
    assert not [word for word in JARGON if word in message]


def test_each_message_belongs_to_a_file() -> None:
    assert sorted((FIXTURES / "bad").glob("*.txt")) == [path.with_suffix(".txt") for path in BAD]


@pytest.mark.parametrize("name", sorted(RESERVED))
@pytest.mark.parametrize("part", ["effect.1", "heterogeneity.0"])
def test_reserved_names(part: str, name: str) -> None:
    key = f"{part.replace('.', '[')}].column"
    advice = 'Did you mean "cohort_id"?' if name == "cohort" else "Rename the column in your table."
    found = f'{key}: found "{name}", a name with a meaning of its own; allowed: any other column. {advice}'
    assert refusal(changed(f"{part}.column", name)) == [found]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *(
            (-0.5, "-0.5"),
            (0.0, "0.0"),
            (0, "0"),
            (float("inf"), "inf"),
            (float("-inf"), "-inf"),
            (float("nan"), "nan"),
        ),
        *((True, "true"), ("1", '"1"'), ([1.0], "[1.0]"), ({}, "an empty table"), (10**400, "a very large number")),
    ],
    ids=["negative", "zero", "0", "inf", "-inf", "nan", "true", "text", "list", "table", "huge"],
)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("intercept.prior.sd", "intercept.prior.sd"),
        ("effect.0.prior.sd", 'effect[0].prior.sd (of "line")'),
        ("effect.1.sd_prior.sd", 'effect[1].sd_prior.sd (of "regimen_class")'),
        ("heterogeneity.1.sd_prior.sd", 'heterogeneity[1].sd_prior.sd (of "cohort_id")'),
    ],
)
def test_a_scale_is_a_finite_number_above_0(path: str, name: str, value: object, shown: str) -> None:
    assert refusal(changed(path, value)) == [f"{name}: found {shown}; allowed: a finite number above 0."]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", '"a"'),
        ("a\nb\x1b", '"a\\nb\\x1b"'),
        (True, "true"),
        (1.5, "1.5"),
        (-(1 << 20000), "a very large negative number"),
        (float("nan"), "nan"),
        ([], "[]"),
        (["a", 1], '["a", 1]'),
        ([{"a": 1}], "a list of tables"),
        ([[1]], "a list with lists in it"),
        ({}, "an empty table"),
        ({"a": 1}, "a table"),
        (tomllib.loads("a = 1979-05-27T07:32:00Z")["a"], "1979-05-27 07:32:00+00:00"),
    ],
    ids=range(13),
)
def test_what_was_found_is_shown_as_the_file_has_it(value: object, shown: str) -> None:
    assert as_written(value) == shown


def test_text_that_looks_like_a_template_or_code_stays_text() -> None:
    for text in ("{message}", "{0}", "%s", "${HOME}", "__import__('os').getcwd()"):
        assert parse_spec(changed("intercept.why", text), source="mine").intercept.why == text
        [fault] = refusal(changed("effect.0.reference", text))
        assert fault == f'effect[0].reference (of "line"): found "{text}"; allowed: naive, pretreated, mixed.'


def test_lists_too_deep_to_be_read(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * 200_000}", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    assert str(caught.value) == f"{path}: is not a model file: it has lists or tables too deep in one another."


def test_every_key_says_what_is_allowed() -> None:
    def tables(record: type[Record]) -> list[type[Record]]:
        return [record, *(table for sub in record.__subclasses__() for table in tables(sub))]

    for table in tables(Record):
        for name, field in table.model_fields.items():
            literal = "Literal" in str(field.annotation)
            assert literal or field.description or name in {"effect", "heterogeneity"}, (table, name)


# where a model comes from


def test_an_unknown_name_with_and_without_a_guess() -> None:
    names = ", ".join(model_names())
    for name, hint in {"line-generaton": ' Did you mean "line-generation"?', "Beta": "", "": "", "x\ny": ""}.items():
        with pytest.raises(SpecError) as caught:
            model_path(name)
        shown = as_written(name)
        assert str(caught.value) == (
            f"there is no model {shown}.{hint} Models: {names}; of medians: pfs; or give the path of a file that ends "
            "in .toml."
        )


def test_paths_that_are_no_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.toml").mkdir()
    Path("file.toml").write_text("", encoding="utf-8")
    choice = f"Give a model file (TOML) or one of: {', '.join(model_names())}."
    for path, message in {
        "missing.toml": f"missing.toml: there is no such file. {choice}",
        "no/where": f"no/where: there is no such file. {choice}",
        "file.toml/x.toml": f"file.toml/x.toml: there is no such file. {choice}",
        "folder.toml": "folder.toml: is a folder; give the path of a model file (TOML).",
        "./": ".: is a folder; give the path of a model file (TOML).",
        "/dev/null": "/dev/null: is a pipe or a device; give the path of a model file (TOML).",
        f"{'x' * 300}.toml": f"{'x' * 300}.toml: cannot be read: File name too long.",
        "a\0.toml": '"a\\x00.toml": cannot be read: no file can have this name.',
    }.items():
        with pytest.raises(SpecError) as caught:
            model_path(path)
        assert str(caught.value) == message
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        read_spec(Path("folder.toml"))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "line.toml"
    path.write_bytes((GOOD / "region.toml").read_bytes())
    assert model_path(str(path)) == path
    assert read_spec(model_path(str(path))).name == "by-region"


# a user's own model and table


def test_a_model_with_a_column_of_one_s_own_on_a_table_of_one_s_own(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(
        "cohort_id,trial,line,region,n,responders\n"
        "a,T1,naive,north,30,20\nb,T1,pretreated,north,20,8\nc,T2,naive,south coast,41,33\nd,T3,mixed,islands,9,0\n",
        encoding="utf-8",
    )
    spec = read_spec(GOOD / "region.toml")
    assert spec.columns == ("line", "region", "trial")
    design = build_design(spec, read_evidence(table, needed=spec.columns))
    line, region = design.effects
    assert (line.levels, line.label, line.index.tolist()) == (("naive", "pretreated", "mixed"), "line", [0, 1, 0, 2])
    assert (region.levels, region.label) == (("islands", "north", "south coast"), "region")
    assert region.index.tolist() == [1, 1, 2, 0]
    assert region.sd_prior == spec.effect[1].sd_prior
    assert design.group is not None
    assert (design.group.label, design.group.units) == ("trial", ("T1", "T2", "T3"))
    np.testing.assert_array_equal(design.responders, [20, 8, 33, 0])
    assert [note.partition(" one cohort")[0] for note in design.notes] == [
        "line: pretreated and mixed have",
        "region: islands and south coast have",
    ]


def test_the_table_must_have_the_columns_of_the_model(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("cohort_id,trial,line,n,responders\na,T1,naive,30,20\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="column region: found no such column"):
        read_evidence(table, needed=read_spec(GOOD / "region.toml").columns)


def test_the_readme_s_example_is_the_tested_one_and_its_keys_are_all() -> None:
    text = (models_folder() / "README.md").read_text(encoding="utf-8")
    assert f"```toml\n{(GOOD / 'region.toml').read_text(encoding='utf-8')}```\n" in text
    for key in ("schema", "name", "question", "family", "link", "rho_prior", "column", "kind", "reference", "nu"):
        assert f"`{key}`" in text
    for value in ("beta_binomial", "fixed", "exchangeable", "student_t", "half_student_t", "exponential", "beta"):
        assert f'`"{value}"`' in text


# anything at all

KEYS = st.text(max_size=5) | st.sampled_from(
    [
        *(
            "schema",
            "name",
            "question",
            "likelihood",
            "intercept",
            "effect",
            "heterogeneity",
            "kind",
            "column",
            "prior",
        ),
        *(
            "sd_prior",
            "dist",
            "sd",
            "mean",
            "nu",
            "why",
            "reference",
            "family",
            "link",
            "distribution",
            "rho_prior",
            "a",
        ),
    ]
)
WORDS = st.text(max_size=5) | st.sampled_from(
    [
        *("fixed", "exchangeable", "normal", "student_t", "half_normal", "exponential", "beta", "binomial", "logit"),
        *("beta_binomial", "line", "trial", "cohort_id", "regimen_class", "naive", "theta", "mine"),
    ]
)
SCALARS = WORDS | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.dates()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


def accepts_or_refuses(data: dict[str, Any]) -> None:
    try:
        spec = parse_spec(data, source="mine.toml")
    except SpecError as error:
        message = str(error)
    else:
        assert parse_spec(spec.model_dump(by_alias=True), source="dumped") == spec
        return
    assert message.startswith("mine.toml: this is not a valid model file")
    assert all(mark.isprintable() or mark == "\n" for mark in message)


@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_dictionary_is_a_model_or_refused(data: dict[str, Any]) -> None:
    accepts_or_refuses(data)


PATHS = [
    *(
        "schema",
        "name",
        "question",
        "likelihood",
        "likelihood.family",
        "intercept.prior",
        "intercept.prior.dist",
        "effect",
    ),
    *(
        "effect.0",
        "effect.0.kind",
        "effect.0.column",
        "effect.0.reference",
        "effect.1.sd_prior",
        "effect.1.sd_prior.sd",
    ),
    *("heterogeneity", "heterogeneity.0.column", "heterogeneity.0.distribution", "effect.1.column", "intercept.why"),
]


@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_a_model_with_anything_put_anywhere_is_a_model_or_refused(changes: list[tuple[str, Any]]) -> None:
    data = copy.deepcopy(FULL)
    for path, value in changes:
        *parents, key = path.split(".")
        here: Any = data
        try:
            for part in parents:
                here = here[int(part)] if isinstance(here, list) else here[part]
            here[int(key) if isinstance(here, list) else key] = value
        except (KeyError, IndexError, TypeError, ValueError):
            continue  # an earlier change has taken the place away
    accepts_or_refuses(data)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_model_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError):
        read_spec(path)


def test_the_content_of_a_model_is_all_but_its_prose(tmp_path: Path) -> None:
    text = model_path(DEFAULT_MODEL).read_text(encoding="utf-8")
    model = tmp_path / "own.toml"

    def content(changed: str) -> str:
        model.write_text(changed, encoding="utf-8")
        return read_spec(model).content_sha256

    whole = content(text)
    prose = [line for line in text.splitlines() if line.startswith(("question", "why"))]
    assert len(prose) > 5
    for line in prose:
        assert content(text.replace(line, f'{line.split(" = ")[0]} = "other words"')) == whole
    assert content(text.replace("sd = 0.5", "sd = 0.6", 1)) != whole
    assert content(text.replace(f'name = "{DEFAULT_MODEL}"', 'name = "own"')) != whole
