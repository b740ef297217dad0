"""AACT's pipe-separated tables (ctti-clinicaltrials/aact) as studies in the shape of the registry's version 2.

Rows are joined by `outcome_id` and `ctgov_group_code`, never by `result_group_id` alone, which has been wrong (aact
#1209). Denominators of classes are lost in AACT: a class has those of its outcome.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from alkbayes.errors import RegistryError
from alkbayes.text.names import listed, shown

NEEDED = ("studies.txt",)
MOST_STUDIES = 20_000
MOST_FIELD = 1_000_000
"""Characters of a cell; criteria have 20,000 at most."""

REFERENCES = {"RESULTS_REFERENCE": "RESULT", "REFERENCE": "BACKGROUND"}
"""Kinds of references by their names in AACT."""

type Row = Mapping[str, str]
type Rows = dict[str, list[Row]]
type Opened = Callable[[str], IO[bytes] | None]

TABLES = (
    "outcomes.txt",
    "outcome_measurements.txt",
    "outcome_counts.txt",
    "result_groups.txt",
    "reported_event_totals.txt",
    "reported_events.txt",
    "eligibilities.txt",
    "design_groups.txt",
    "interventions.txt",
    "intervention_other_names.txt",
    "design_group_interventions.txt",
    "conditions.txt",
    "keywords.txt",
    "brief_summaries.txt",
    "countries.txt",
    "study_references.txt",
)


def is_aact(names: set[str]) -> bool:
    """Return whether these are names of AACT's tables."""
    return set(NEEDED) <= names


def studies_of_tables(opened: Opened, name: str) -> Iterator[dict[str, Any]]:
    """Yield the studies of AACT's tables.

    Parameters
    ----------
    opened
        Opens a table by its file name; None where there is none.
    name
        Of the folder or archive, for messages.

    Raises
    ------
    RegistryError
        If a table cannot be read, or there are more studies than a review has: AACT's export is of the whole registry.
    """
    studies = [row for rows in _table(opened, "studies.txt", name).values() for row in rows]
    if len(studies) > MOST_STUDIES:
        raise RegistryError(
            f"{name}: has {len(studies):,} studies; allowed: {MOST_STUDIES:,} at most. Export those of your search."
        )
    tables = {table.removesuffix(".txt"): _table(opened, table, name) for table in TABLES}
    for row in studies:
        number = row.get("nct_id", "")
        yield _study(row, {table: rows.get(number, []) for table, rows in tables.items()})


def _table(opened: Opened, table: str, name: str) -> Rows:
    """Return the rows of a table by study."""
    file = opened(table)
    if file is None:
        return {}
    rows: Rows = {}
    before = csv.field_size_limit(MOST_FIELD)
    try:
        with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
            reader = csv.DictReader(text, delimiter="|")
            if "nct_id" not in (reader.fieldnames or []):
                raise RegistryError(f"{name}, {table}: has no column nct_id; found {listed(reader.fieldnames or [])}.")
            for row in reader:
                if None in row or None in row.values():
                    raise RegistryError(f"{name}, {table}, line {reader.line_num}: has another number of cells.")
                rows.setdefault(row["nct_id"], []).append(row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise RegistryError(f"{name}, {table}: cannot be read: {shown(str(error))}.") from error
    finally:
        csv.field_size_limit(before)
    return rows


def _study(row: Row, tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    groups = tables["result_groups"]
    outcomes = [_outcome(each, tables) for each in tables["outcomes"]]
    events = [group for group in groups if group.get("result_type", "").startswith("Reported Event")]
    study: dict[str, Any] = {"protocolSection": _protocol(row, tables), "hasResults": bool(outcomes or events)}
    if study["hasResults"]:
        study["resultsSection"] = {
            "outcomeMeasuresModule": {"outcomeMeasures": outcomes},
            "adverseEventsModule": _events(tables),
        }
    return study


def _protocol(row: Row, tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    phase = row.get("phase", "").upper().replace("PHASE ", "PHASE").replace("N/A", "NA").replace("EARLY ", "EARLY_")
    count = row.get("enrollment", "")
    eligibility = next(iter(tables["eligibilities"]), {})
    ages = (("child", "CHILD"), ("adult", "ADULT"), ("older_adult", "OLDER_ADULT"))
    criteria = eligibility.get("criteria", "").replace("~", "\n")
    return {
        "identificationModule": {
            "nctId": row.get("nct_id", ""),
            "briefTitle": row.get("brief_title", ""),
            "officialTitle": row.get("official_title", ""),
            "acronym": row.get("acronym", ""),
        },
        "statusModule": {
            "overallStatus": row.get("overall_status", "").upper().replace(", ", "_").replace(" ", "_"),
            "primaryCompletionDateStruct": {"date": row.get("primary_completion_date", "")},
            "resultsFirstPostDateStruct": {"date": row.get("results_first_posted_date", "")},
            "lastUpdatePostDateStruct": {"date": row.get("last_update_posted_date", "")},
        },
        "descriptionModule": {"briefSummary": next((each["description"] for each in tables["brief_summaries"]), "")},
        "conditionsModule": {
            "conditions": [each.get("name", "") for each in tables["conditions"]],
            "keywords": [each.get("name", "") for each in tables["keywords"]],
        },
        "designModule": {
            "studyType": row.get("study_type", "").upper().replace(" ", "_"),
            "phases": [each for each in phase.split("/") if each],
            "enrollmentInfo": {"count": int(count)} if count.isdigit() else {},
        },
        "armsInterventionsModule": _arms(tables),
        "eligibilityModule": {
            "eligibilityCriteria": criteria,
            "minimumAge": eligibility.get("minimum_age", "").replace("N/A", ""),
            "maximumAge": eligibility.get("maximum_age", "").replace("N/A", ""),
            "stdAges": [name for key, name in ages if eligibility.get(key, "").lower() in {"t", "true"}],
        },
        "contactsLocationsModule": {
            "locations": [
                {"country": each.get("name", "")} for each in tables["countries"] if each.get("removed", "") != "t"
            ]
        },
        "referencesModule": {
            "references": [
                {"pmid": each.get("pmid", ""), "type": REFERENCES.get(kind, kind)}
                for each in tables["study_references"]
                for kind in [each.get("reference_type", "").upper()]
            ]
        },
    }


def _arms(tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    labels = {each.get("id", ""): each.get("title", "") for each in tables["design_groups"]}
    arms_of: dict[str, list[str]] = {}
    for each in tables["design_group_interventions"]:
        label = labels.get(each.get("design_group_id", ""), "")
        arms_of.setdefault(each.get("intervention_id", ""), []).append(label)
    other: dict[str, list[str]] = {}
    for each in tables["intervention_other_names"]:
        other.setdefault(each.get("intervention_id", ""), []).append(each.get("name", ""))
    interventions = [
        {
            "type": each.get("intervention_type", "").upper().replace(" ", "_"),
            "name": each.get("name", ""),
            "description": each.get("description", ""),
            "armGroupLabels": arms_of.get(each.get("id", ""), []),
            "otherNames": other.get(each.get("id", ""), []),
        }
        for each in tables["interventions"]
    ]
    arms = [
        {
            "label": each.get("title", ""),
            "type": each.get("group_type", "").upper().replace(" ", "_"),
            "description": each.get("description", ""),
            "interventionNames": [
                f"{str(item['type']).replace('_', ' ').capitalize()}: {item['name']}"
                for item in interventions
                if each.get("title", "") in item["armGroupLabels"]
            ],
        }
        for each in tables["design_groups"]
    ]
    return {"armGroups": arms, "interventions": interventions}


def _outcome(row: Row, tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    key = row.get("id", "")
    cells = [each for each in tables["outcome_measurements"] if each.get("outcome_id") == key]
    counts = [
        each
        for each in tables["outcome_counts"]
        if each.get("outcome_id") == key and each.get("scope", "Measure").lower() == "measure"
    ]
    # `result_groups` tie a code to a title by outcome; measurements carry the codes.
    codes = dict.fromkeys(each.get("ctgov_group_code", "") for each in [*counts, *cells])
    ids = {each.get("result_group_id", "") for each in [*counts, *cells]}
    titles = {
        each.get("ctgov_group_code", ""): (each.get("title", ""), each.get("description", ""))
        for each in tables["result_groups"]
        if each.get("result_type", "").startswith("Outcome")
        and (each.get("outcome_id") == key or (not each.get("outcome_id") and each.get("id", "") in ids))
    }
    units: dict[str, list[dict[str, str]]] = {}
    for each in counts:
        count = {"groupId": each.get("ctgov_group_code", ""), "value": each.get("count", "")}
        units.setdefault(each.get("units", "Participants"), []).append(count)
    posted = bool(cells or counts) or not row.get("anticipated_posting_date")
    return {
        "type": row.get("outcome_type", "").upper().replace("-", "_").replace(" ", "_"),
        "title": row.get("title", ""),
        "description": row.get("description", ""),
        "populationDescription": row.get("population", ""),
        "reportingStatus": "POSTED" if posted else "NOT_POSTED",
        "paramType": row.get("param_type", "").upper().replace(" ", "_"),
        "dispersionType": row.get("dispersion_type", ""),
        "unitOfMeasure": row.get("units", ""),
        "timeFrame": row.get("time_frame", ""),
        "groups": [
            {"id": code, "title": titles.get(code, ("", ""))[0], "description": titles.get(code, ("", ""))[1]}
            for code in codes
        ],
        "denoms": [{"units": name, "counts": of} for name, of in units.items()],
        "classes": _classes(cells),
    }


def _classes(cells: list[Row]) -> list[dict[str, Any]]:
    classes: dict[str, dict[str, list[dict[str, str]]]] = {}
    for each in cells:
        low, high = (
            each.get(f"dispersion_{side}_limit_raw") or each.get(f"dispersion_{side}_limit", "")
            for side in ("lower", "upper")
        )
        measurement = {
            "groupId": each.get("ctgov_group_code", ""),
            "value": each.get("param_value", ""),
            "spread": each.get("dispersion_value", ""),
            "lowerLimit": low,
            "upperLimit": high,
            "comment": each.get("explanation_of_na", ""),
        }
        categories = classes.setdefault(each.get("classification", ""), {})
        categories.setdefault(each.get("category", ""), []).append(measurement)
    return [
        {"title": title, "categories": [{"title": name, "measurements": of} for name, of in categories.items()]}
        for title, categories in classes.items()
    ]


def _events(tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {}
    for each in tables["result_groups"]:
        if each.get("result_type", "").startswith("Reported Event"):
            code = each.get("ctgov_group_code", "")
            groups[code] = {"id": code, "title": each.get("title", ""), "description": each.get("description", "")}
    names = {"serious": "serious", "deaths": "deaths", "other": "other"}
    for each in tables["reported_event_totals"]:
        code = each.get("ctgov_group_code", "")
        kind = names.get(each.get("event_type", "").lower())
        if kind is not None:
            group = groups.setdefault(code, {"id": code, "title": "", "description": ""})
            affected, at_risk = each.get("subjects_affected", ""), each.get("subjects_at_risk", "")
            group.update({f"{kind}NumAffected": affected, f"{kind}NumAtRisk": at_risk})
    lists: dict[str, dict[str, list[dict[str, str]]]] = {"serious": {}, "other": {}}
    for each in tables["reported_events"]:
        if (kind := each.get("event_type", "").lower()) in lists:
            stats = {
                "groupId": each.get("ctgov_group_code", ""),
                "numAffected": each.get("subjects_affected", ""),
                "numAtRisk": each.get("subjects_at_risk", ""),
            }
            lists[kind].setdefault(each.get("adverse_event_term", ""), []).append(stats)
    return {
        "eventGroups": list(groups.values()),
        "seriousEvents": [{"term": term, "stats": of} for term, of in lists["serious"].items()],
        "otherEvents": [{"term": term, "stats": of} for term, of in lists["other"].items()],
    }
