"""Raw contents of model files, before checks."""

import tomllib
from pathlib import Path
from typing import Any

from alkbayes.errors import SpecError


def read_declaration(path: Path) -> dict[str, Any]:
    """Return the contents of a model file, unchecked.

    Raises
    ------
    SpecError
        If the file cannot be read or is not TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{path}: is not UTF-8 text (line {line}); save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise SpecError(f"{path}: is not a model file: it has lists or tables too deep in one another.") from error
    except ValueError as error:  # Python's own, of a whole number of thousands of digits
        raise SpecError(f"{path}: is not a model file: it has a number of too many digits.") from error


def family_of(data: dict[str, Any]) -> Any:
    """Return the family named in a model file, unchecked, or None."""
    likelihood = data.get("likelihood")
    return likelihood.get("family") if isinstance(likelihood, dict) else None
