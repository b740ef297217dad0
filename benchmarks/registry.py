"""Time and memory of screening and extracting records: `python benchmarks/registry.py [RECORDS]`, 5,000 by default.

The records are made: a trial of the review with a dozen outcomes, padded to 200 KB by adverse events as real ones are.
The target of both steps together is 60 s of processor time and 1 GiB of one process.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from alkbayes.registry.declarations import bundled, read_protocol
from alkbayes.registry.extraction.tables import extract_folder
from alkbayes.registry.folder import Folder
from alkbayes.registry.screening.decisions import screen_folder
from alkbayes.registry.screening.rules import Decision
from alkbayes.registry.search import search_files

RECORDS = 5_000
SIZE = 200_000
MOST_SECONDS, MOST_BYTES = 60.0, 2**30


def record(number: int) -> dict[str, object]:
    """Return a record of `SIZE` bytes; every third is of the review."""
    wanted = number % 3 == 0
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
                "briefTitle": f"Lorlatinib in {'ALK' if wanted else 'EGFR'}-positive NSCLC",
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
    missing = SIZE - len(json.dumps(made))
    count = max(1, missing // (len(json.dumps(event)) + 30))
    module["otherEvents"] = [{"term": f"Event {k % 900}", **event} for k in range(count)]
    return made


def main() -> int:
    """Make the records, run both steps, and print what they took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    protocol = read_protocol(bundled("protocol"))
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        search_files(folder, [("made", (record(number) for number in range(count)))])
        size = sum(file.stat().st_size for file in folder.records.iterdir())
        start = time.process_time()
        screening = screen_folder(folder, protocol)
        screened = time.process_time()
        extraction = extract_folder(folder, protocol)
        end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    kept = len(screening.numbers(Decision.INCLUDE))
    print(
        f"{count:,} records of {size / count / 1000:.0f} KB: {kept:,} kept, {len(extraction.candidates):,} candidates"
    )
    took = f"screening {screened - start:.1f} s, extraction {end - screened:.1f} s"
    print(f"processor time: {took}; peak memory {peak / 2**20:.0f} MiB")
    return int(end - start > MOST_SECONDS or peak > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
