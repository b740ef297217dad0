"""XML of the registry's version 1 (retired in 2024, and still in many folders) in the shape of version 2."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from alkbayes.errors import RegistryError
from alkbayes.registry.json_reader import MOST_BYTES
from alkbayes.text.names import shown

GROUPS = {"P": "FG", "B": "BG", "O": "OG", "E": "EG"}
DATES = ("%B %d, %Y", "%B %Y", "%Y-%m-%d", "%Y-%m")
PARAMS = {"Number": "NUMBER", "Count of Participants": "COUNT_OF_PARTICIPANTS", "Count of Units": "COUNT_OF_UNITS"}
REFERENCES = {"reference": "BACKGROUND", "results_reference": "RESULT"}


def study_of_xml(content: bytes, name: str) -> dict[str, Any]:
    """Return the study in an XML file, as JSON of version 2 has it.

    Raises
    ------
    RegistryError
        If it is no such file, or declares entities, which no record does and an attack needs.
    """
    if len(content) > MOST_BYTES:
        raise RegistryError(f"{name}: found {len(content):,} bytes; allowed: {MOST_BYTES:,} at most.")
    if b"\0" in content:
        raise RegistryError(f"{name}: is no UTF-8 text; every record is. It was not read.")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise RegistryError(f"{name}: declares a document type; no record does. It was not read.")
    try:
        root = fromstring(content)  # noqa: S314 - no entities in it
    except ParseError as error:
        line, column = error.position
        raise RegistryError(f"{name}, line {line}, column {column}: is no XML: {shown(error.msg)}.") from error
    if root.tag != "clinical_study":
        raise RegistryError(f"{name}: found the element {shown(root.tag)}; allowed: clinical_study.")
    results = root.find("clinical_results")
    study: dict[str, Any] = {"protocolSection": _protocol(root)}
    if results is not None:
        study["resultsSection"] = _results(results)
    conditions = [each.text or "" for each in root.findall("condition_browse/mesh_term")]
    if conditions:
        study["derivedSection"] = {"conditionBrowseModule": {"meshes": [{"term": term} for term in conditions]}}
    return study | {"hasResults": results is not None}


def _protocol(root: Element) -> dict[str, Any]:
    results_posted = root.findtext("results_first_posted")
    status = {
        "overallStatus": _coded(root.findtext("overall_status")),
        "startDateStruct": _date(root.findtext("start_date")),
        "primaryCompletionDateStruct": _date(root.findtext("primary_completion_date")),
        "resultsFirstPostDateStruct": _date(results_posted),
        "lastUpdatePostDateStruct": _date(root.findtext("last_update_posted")),
    }
    phase = root.findtext("phase") or ""
    phases = [_coded(each) for each in phase.split("/")] if phase and phase != "N/A" else ["NA"] if phase else []
    count = (root.findtext("enrollment") or "").strip()
    design = {
        "studyType": _study_type(root.findtext("study_type") or ""),
        "phases": [each.replace("PHASE_", "PHASE") for each in phases],
        "enrollmentInfo": {"count": int(count)} if count.isdigit() else {},
    }
    return {
        "identificationModule": _present(
            nctId=root.findtext("id_info/nct_id"),
            nctIdAliases=[each.text for each in root.findall("id_info/nct_alias") if each.text],
            briefTitle=root.findtext("brief_title"),
            officialTitle=root.findtext("official_title"),
            acronym=root.findtext("acronym"),
        ),
        "statusModule": _present(**status),
        "descriptionModule": _present(briefSummary=_block(root.find("brief_summary"))),
        "conditionsModule": _present(conditions=_all(root, "condition"), keywords=_all(root, "keyword")),
        "designModule": _present(**design),
        "armsInterventionsModule": _arms(root),
        "eligibilityModule": _eligibility(root.find("eligibility")),
        "contactsLocationsModule": {
            "locations": [{"country": country} for country in _all(root, "location_countries/country")]
        },
        "referencesModule": {
            "references": [
                _present(pmid=each.findtext("PMID"), type=kind, citation=each.findtext("citation"))
                for tag, kind in REFERENCES.items()
                for each in root.findall(tag)
            ]
        },
    }


def _arms(root: Element) -> dict[str, Any]:
    interventions = [
        {
            "type": _coded(each.findtext("intervention_type")),
            **_present(
                name=each.findtext("intervention_name"),
                description=each.findtext("description"),
                armGroupLabels=_all(each, "arm_group_label"),
                otherNames=_all(each, "other_name"),
            ),
        }
        for each in root.findall("intervention")
    ]
    arms = []
    for arm in root.findall("arm_group"):
        label = arm.findtext("arm_group_label") or ""
        names = [
            f"{(each['type'] or '').replace('_', ' ').capitalize()}: {each.get('name', '')}"
            for each in interventions
            if label in each.get("armGroupLabels", [])
        ]
        arms.append(
            _present(
                label=label,
                type=_coded(arm.findtext("arm_group_type")),
                description=arm.findtext("description"),
                interventionNames=names,
            )
        )
    return {"armGroups": arms, "interventions": interventions}


def _eligibility(each: Element | None) -> dict[str, Any]:
    if each is None:
        return {}
    low, high = (each.findtext(name) or "" for name in ("minimum_age", "maximum_age"))
    ages = _ages(low, high)
    return _present(
        eligibilityCriteria=_block(each.find("criteria")),
        minimumAge=None if low == "N/A" else low,
        maximumAge=None if high == "N/A" else high,
        stdAges=ages,
    )


def _ages(low: str, high: str) -> list[str]:
    """Return the age groups between two limits, as the registry derives them."""
    least, most = _years(low, 0.0), _years(high, float("inf"))
    groups = {"CHILD": (0, 18), "ADULT": (18, 65), "OLDER_ADULT": (65, float("inf"))}
    return [name for name, (start, end) in groups.items() if least < end and most >= start]


def _years(text: str, otherwise: float) -> float:
    found = re.match(r"(\d+)\s*(year|month|week|day)", text, re.IGNORECASE)
    return int(found[1]) / {"year": 1, "month": 12, "week": 52, "day": 365}[found[2].lower()] if found else otherwise


def _results(results: Element) -> dict[str, Any]:
    outcomes = [_outcome(each) for each in results.findall("outcome_list/outcome")]
    section: dict[str, Any] = {"outcomeMeasuresModule": {"outcomeMeasures": outcomes}}
    if (events := results.find("reported_events")) is not None:
        section["adverseEventsModule"] = _events(events)
    return section


def _outcome(outcome: Element) -> dict[str, Any]:
    measure = outcome.find("measure")
    param = "" if measure is None else measure.findtext("param") or ""
    classes = [] if measure is None else [_class(each) for each in measure.findall("class_list/class")]
    dispersion = None if measure is None else measure.findtext("dispersion")
    return _present(
        type=_coded((outcome.findtext("type") or "").replace("-", " ")),
        title=outcome.findtext("title"),
        description=outcome.findtext("description"),
        populationDescription=outcome.findtext("population"),
        reportingStatus="NOT_POSTED" if outcome.findtext("posting_date") and measure is None else "POSTED",
        paramType=PARAMS.get(param, _coded(param)),
        dispersionType=dispersion,
        unitOfMeasure=None if measure is None else measure.findtext("units"),
        timeFrame=outcome.findtext("time_frame"),
        groups=_groups(outcome),
        denoms=[] if measure is None else _denominators(measure),
        classes=classes,
    )


def _class(each: Element) -> dict[str, Any]:
    categories = [
        _present(
            title=category.findtext("title"),
            measurements=[
                _present(
                    groupId=_group(value),
                    value=value.get("value"),
                    spread=value.get("spread"),
                    lowerLimit=value.get("lower_limit"),
                    upperLimit=value.get("upper_limit"),
                    comment=(value.text or "").strip(),
                )
                for value in category.findall("measurement_list/measurement")
            ],
        )
        for category in each.findall("category_list/category")
    ]
    return _present(title=each.findtext("title"), denoms=_denominators(each), categories=categories)


def _denominators(each: Element) -> list[dict[str, Any]]:
    return [
        {
            "units": analysed.findtext("units") or "Participants",
            "counts": [
                _present(groupId=_group(count), value=count.get("value"))
                for count in analysed.findall("count_list/count")
            ],
        }
        for analysed in each.findall("analyzed_list/analyzed")
    ]


def _groups(each: Element) -> list[dict[str, Any]]:
    return [
        _present(id=_group(group), title=group.findtext("title"), description=group.findtext("description"))
        for group in each.findall("group_list/group")
    ]


def _group(each: Element) -> str:
    """Return a group's id as version 2 has it: O1 is OG000."""
    found = re.fullmatch(r"([PBOE])(\d+)", each.get("group_id", ""))
    return f"{GROUPS[found[1]]}{int(found[2]) - 1:03d}" if found else each.get("group_id", "")


def _events(events: Element) -> dict[str, Any]:
    groups = {group["id"]: group for group in _groups(events) if "id" in group}
    module: dict[str, Any] = _present(
        frequencyThreshold=events.findtext("other_events/frequency_threshold"),
        timeFrame=events.findtext("time_frame"),
        description=events.findtext("desc"),
    )
    for tag, total, key in (
        ("deaths", "deathsNum", ""),
        ("serious_events", "seriousNum", "seriousEvents"),
        ("other_events", "otherNum", "otherEvents"),
    ):
        listed = []
        for is_total, term, counts in _terms(events.find(tag)):
            for count in counts if is_total else ():
                affected, at_risk = _count(count, "subjects_affected"), _count(count, "subjects_at_risk")
                groups.get(_group(count), {}).update({f"{total}Affected": affected, f"{total}AtRisk": at_risk})
            if not is_total:
                stats = [
                    _present(
                        groupId=_group(count),
                        numAffected=_count(count, "subjects_affected"),
                        numAtRisk=_count(count, "subjects_at_risk"),
                    )
                    for count in counts
                ]
                listed.append({"term": term, "stats": stats})
        if key and listed:
            module[key] = listed
    return module | {"eventGroups": list(groups.values())}


def _terms(events: Element | None) -> Iterator[tuple[bool, str, list[Element]]]:
    for category in [] if events is None else events.findall("category_list/category"):
        is_total = category.findtext("title") == "Total"
        for event in category.findall("event_list/event"):
            yield is_total, event.findtext("sub_title") or "", event.findall("counts")


def _count(each: Element, name: str) -> int | None:
    text = each.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _present(**values: Any) -> dict[str, Any]:
    """Return the values that there are."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _all(each: Element, path: str) -> list[str]:
    return [found.text for found in each.findall(path) if found.text]


def _block(each: Element | None) -> str | None:
    text = None if each is None else each.findtext("textblock")
    # Lines are broken for print; a line that goes on is no new criterion.
    return None if text is None else re.sub(r"(?<=\S)\n[ \t]*(?=[^\s\-*•\d])", " ", text).strip()


def _coded(text: str | None) -> str:
    """Return a word of a list as version 2 codes it: "Active, not recruiting" is ACTIVE_NOT_RECRUITING."""
    return re.sub(r"[^A-Z0-9]+", "_", (text or "").strip().upper()).strip("_")


def _study_type(text: str) -> str:
    kinds = ("INTERVENTIONAL", "OBSERVATIONAL", "EXPANDED_ACCESS")
    return next((kind for kind in kinds if _coded(text).startswith(kind)), _coded(text))


def _date(text: str | None) -> dict[str, str]:
    for pattern in DATES if text else ():
        try:
            date = datetime.strptime(text or "", pattern)
        except ValueError:
            continue
        return {"date": date.strftime("%Y-%m-%d" if "%d" in pattern else "%Y-%m")}
    return {}
