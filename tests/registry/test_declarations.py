from pathlib import Path

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import bundled, bundled_names, named_file, protocol_path, read_protocol, read_query
from alkbayes.registry.folder import Folder

QUERY = (
    'schema = 1\nname = "x"\nquestion = "Which?"\n\n[[strategy]]\nname = "a"\ncondition = "NSCLC"\nwhy = "because"\n'
)


@pytest.mark.parametrize("name", ["alk", "ros1"])
def test_bundled_files_are_valid_and_of_one_name(name: str) -> None:
    query, protocol = read_query(bundled("query", name)), read_protocol(bundled("protocol", name))
    assert query.name == protocol.name == name
    assert name in bundled_names()
    assert all(rule.why and rule.reason for rule in protocol.rule)


def test_the_search_filters_nothing_that_screening_must_count() -> None:
    for name in bundled_names():
        for strategy in read_query(bundled("query", name)).strategy:
            assert set(strategy.parameters) <= {"query.cond", "query.intr", "query.term", "query.titles"}


def test_every_agent_of_the_review_is_searched_for_by_every_name() -> None:
    protocol, query = read_protocol(bundled("protocol")), read_query(bundled("query"))
    text = query.strategy[1].parameters["query.intr"].casefold()
    for agent, known in protocol.agents.items():
        if agent != "conteltinib":  # found by the first strategy alone
            assert any(name.casefold() in text for name in known.names), agent


def test_agents_are_whole_words_in_any_spelling() -> None:
    protocol = read_protocol(bundled("protocol"))
    assert protocol.agents_in("PF06463922, then PF 02341066") == ("lorlatinib", "crizotinib")
    assert protocol.agents_in("X396") == ("ensartinib",)
    assert protocol.agents_in("AX3961 and notcrizotinibs") == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("schema = 1", "schema = 2", "schema: found 2; allowed: 1"),
        ('condition = "NSCLC"\n', "", "needs one of condition, intervention, term, titles"),
        ('why = "because"', 'because = "x"', "unknown key"),
        ("schema = 1", "schema = ", "is not valid TOML"),
        ('name = "a"', 'name = "A b"', "lower-case letters"),
    ],
)
def test_a_fault_of_a_query_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    path = tmp_path / "q.toml"
    path.write_text(QUERY, encoding="utf-8")
    assert read_query(path).name == "x"
    path.write_text(QUERY.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        read_query(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_pattern_that_is_none_is_named(tmp_path: Path) -> None:
    text = bundled("protocol").read_text(encoding="utf-8").replace(r"'\bEML4'", "'(EML4'", 1)
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match="missing \\), unterminated subpattern"):
        read_protocol(path)


def test_rules_have_ids_of_their_own(tmp_path: Path) -> None:
    text = bundled("protocol").read_text(encoding="utf-8").replace('id = "lung"', 'id = "alk"', 1)
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match="two rules have the id alk"):
        read_protocol(path)


def test_a_file_that_is_not_there_names_the_bundled_ones() -> None:
    with pytest.raises(RegistryError, match="or a bundled query: alk, ros1"):
        read_query(named_file("none.toml", "query"))


def test_a_folder_keeps_to_its_protocol(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert protocol_path(folder, None) == bundled("protocol", "alk")
    folder.file("query.toml").write_bytes(bundled("query", "ros1").read_bytes())
    assert protocol_path(folder, None) == bundled("protocol", "ros1")
    folder.file("protocol.toml").write_bytes(bundled("protocol", "alk").read_bytes())
    assert protocol_path(folder, None) == folder.file("protocol.toml")
    assert protocol_path(folder, "ros1") == bundled("protocol", "ros1")
