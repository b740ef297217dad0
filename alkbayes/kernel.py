"""Which code draws a posterior, and its hash: a recorded calibration study is of one state of it."""

import importlib.util
import io
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from alkbayes.settings import Engine

COMMON = (
    "design",
    "draws",
    "links",
    "parametrisation",
    "predictive",
    "priors",
    "replications",
    "scenarios",
    "simulation",
)
KERNEL: Mapping[Engine, tuple[str, ...]] = MappingProxyType(
    {
        Engine.QUADRATURE: (
            *COMMON,
            "deviations",
            "engines.approximation",
            "engines.importance",
            "engines.proposals",
            "engines.quadrature",
            "engines.target",
            "hierarchy",
            "integrand",
            "lattice",
            "likelihoods",
            "log_concave",
            "marginal",
            "nested",
            "scores",
            "tabulated",
            "varied",
        ),
        Engine.NUTS: (*COMMON, "engines.compiled", "engines.graph", "engines.kept", "engines.nuts", "model"),
    }
)
"""Modules that decide the draws of each engine, or the truth that they are held against. What only checks tables, names
things or sums up draws is not among them; a test holds the list against what the engines import."""

SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}
ENDS = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@cache
def kernel_hash(engine: Engine) -> str:
    """Return a hash of an engine's code, blind to comments, docstrings and the layout of lines."""
    digest = sha256()
    for module in sorted(KERNEL[engine]):
        spec = importlib.util.find_spec(f"alkbayes.{module}")
        source = Path(str(spec and spec.origin)).read_text(encoding="utf-8")
        digest.update("\0".join([module, *code_of(source)]).encode())
    return digest.hexdigest()


def code_of(source: str) -> Iterator[str]:
    """Yield the tokens of Python source without its comments and docstrings."""
    line: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in SKIPPED:
            continue
        if token.type not in ENDS:
            line.append(token)
            continue
        # A statement that is nothing but a string says something to a reader alone.
        docstring = [each.type for each in line] == [tokenize.STRING]
        if not docstring:
            yield from (each.string for each in line)
        if not (docstring and token.type == tokenize.NEWLINE):
            yield tokenize.tok_name[token.type]
        line = []
