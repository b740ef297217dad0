"""JSON Schema of model files, for editors that check and complete TOML as it is typed.

It has each key's type, range and choices; rules between keys, such as columns that occur twice, are checked on reading.
"""

from typing import Any

from pydantic import TypeAdapter

from alkbayes.spec.medians import MedianSpec
from alkbayes.spec.schema import Spec

SCHEMA_FILE = "model.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a model file."""
    return TypeAdapter(Spec | MedianSpec).json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "model file of alkbayes",
    }
