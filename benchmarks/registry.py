"""Time and memory of screening and extracting records: `python benchmarks/registry.py [RECORDS]`, 5,000 by default.

The records are made: trials of the review with a dozen outcomes, padded to 200 KB by adverse events as real ones are.
All are kept by screening, so that all are extracted. The targets are 60 s and 1 GiB for both steps, on two processors.
"""

import json
import resource
import sys
import tempfile
from pathlib import Path

from bench import ALKBAYES, GIB, measure, verdict

RECORDS = 5_000
SIZE = 200_000
MOST_SECONDS, MOST_MEMORY = 60.0, GIB


def record(number: int) -> dict[str, object]:
    """Return a record of `SIZE` bytes."""
    groups = [{"id": f"OG00{k}", "title": name} for k, name in enumerate(("Lorlatinib", "Crizotinib"))]
    outcomes = [
        {
            "type": "SECONDARY",
            "title": title,
            "description": "By RECIST version 1.1, as independent central review determined it. " * 5,
            "reportingStatus": "POSTED",
            "paramType": param,
            "dispersionType": "95% Confidence Interval",
            "unitOfMeasure": unit,
            "groups": groups,
            "denoms": [{"units": "Participants", "counts": [{"groupId": g["id"], "value": "149"} for g in groups]}],
            "classes": [
                {
                    "title": f"Month {k}" if classes > 1 else "",
                    "categories": [
                        {
                            "measurements": [
                                {"groupId": g["id"], "value": "75.8", "lowerLimit": "68.2", "upperLimit": "82.5"}
                                for g in groups
                            ]
                        }
                    ],
                }
                for k in range(classes)
            ],
        }
        for title, param, unit, classes in (
            ("Objective Response Rate (ORR)", "NUMBER", "percentage of participants", 1),
            ("Progression-Free Survival (PFS)", "MEDIAN", "months", 1),
            ("Overall Survival", "MEDIAN", "months", 1),
            *((f"Change From Baseline in Scale {k}", "MEAN", "units on a scale", 8) for k in range(9)),
        )
    ]
    event = {
        "organSystem": "Gastrointestinal disorders",
        "sourceVocabulary": "MedDRA 25.0",
        "assessmentType": "SYSTEMATIC_ASSESSMENT",
        "stats": [{"groupId": f"EG00{k}", "numEvents": 3, "numAffected": 2, "numAtRisk": 149} for k in range(2)],
    }
    module: dict[str, object] = {
        "eventGroups": [
            {"id": f"EG00{k}", "title": "Group", "seriousNumAffected": 5, "seriousNumAtRisk": 149} for k in range(2)
        ],
    }
    made: dict[str, object] = {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT{10_000_000 + number}",
                "briefTitle": "Lorlatinib in Advanced ALK-Positive NSCLC",
            },
            "designModule": {"studyType": "INTERVENTIONAL", "phases": ["PHASE3"], "enrollmentInfo": {"count": 298}},
            "conditionsModule": {"conditions": ["Carcinoma, Non-Small-Cell Lung"]},
            "armsInterventionsModule": {
                "armGroups": [
                    {"label": name, "interventionNames": [f"Drug: {name}"]} for name in ("Lorlatinib", "Crizotinib")
                ],
                "interventions": [{"type": "DRUG", "name": "Lorlatinib"}, {"type": "DRUG", "name": "Crizotinib"}],
            },
            "eligibilityModule": {
                "eligibilityCriteria": "Inclusion Criteria:\n\n"
                + "* Advanced NSCLC with measurable disease and adequate organ function\n" * 40,
                "stdAges": ["ADULT"],
            },
        },
        "hasResults": True,
        "resultsSection": {"outcomeMeasuresModule": {"outcomeMeasures": outcomes}, "adverseEventsModule": module},
    }
    missing = SIZE - len(json.dumps(made, separators=(",", ":")))
    count = max(1, missing // (len(json.dumps(event, separators=(",", ":"))) + 21))
    module["otherEvents"] = [{"term": f"Event {k % 900}", **event} for k in range(count)]
    return made


def main() -> None:
    """Make the records, run both steps as a user does, and print what they took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory(prefix="alkbayes-bench-") as name:
        folder = Path(name)
        records = folder / "reg" / "records"
        records.mkdir(parents=True)
        for number in range(count):
            made = json.dumps(record(number), separators=(",", ":"))
            (records / f"NCT{10_000_000 + number}.json").write_text(made)
        size = sum(file.stat().st_size for file in records.iterdir()) / count
        print(f"{count:,} records of {size / 1000:.0f} KB\n")
        print("| step | seconds | processor seconds | peak memory |\n|---|--:|--:|--:|")
        seconds, memory = 0.0, 0
        for step in ("screen", "extract"):
            before = processor_seconds()
            took = measure((*ALKBAYES, "registry", step, "reg"), folder=folder)
            used = processor_seconds() - before
            print(f"| `{step}` | {took.seconds:.1f} | {used:.1f} | {took.memory / GIB:.2f} GiB |", flush=True)
            seconds, memory = seconds + took.seconds, max(memory, took.memory)
    time = verdict(seconds <= MOST_SECONDS, f"{seconds:.1f} ≤ {MOST_SECONDS:g}")
    print(f"| both | {time} | | {verdict(memory <= MOST_MEMORY, f'≤ {MOST_MEMORY / GIB:g} GiB')} |")


def processor_seconds() -> float:
    """Return the processor time of the processes that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
