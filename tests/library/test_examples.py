"""The examples in docstrings of the Python interface, run as they stand."""

import doctest
import importlib

import pytest

MODULES = ("bayesian", "classical", "criticism", "evidence", "models", "output", "planning")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"alkbayes.library.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
