"""Words for the columns and levels of the field; columns by their names in results unless said otherwise.

Outcomes are those of :class:`alkbayes.evidence.outcomes.Outcome`, as `o`.
"""

GROUP_TITLES = {
    "line": "line",
    "generation": "TKI generation",
    "line:generation": "line : TKI generation",
    "prior_tki": "prior ALK TKI",
    "prior_tki:generation": "prior ALK TKI : TKI generation",
}
"""Headings of columns, and of pairs of columns, above their levels."""

COUNTED_BY = {"line": "Treatment line", "regimen_class": "TKI generation"}
"""Titles of the columns of a table by which a figure counts patients."""

SINGULAR_AND_PLURAL = {
    "line": ("treatment line", "treatment lines"),
    "generation": ("TKI generation", "TKI generations"),
    "prior_tki": ("prior ALK TKI", "kinds of prior ALK TKI"),
}
"""A column's levels, one and several."""

COHORTS_OF = {
    ("line", "naive"): "treatment-naive cohorts",
    ("line", "pretreated"): "pretreated cohorts",
    ("line", "mixed"): "cohorts of mixed lines",
    ("generation", "first"): "first-generation TKIs",
    ("generation", "second"): "second-generation TKIs",
    ("generation", "third"): "third-generation TKIs",
    ("generation", "combination"): "combination regimens",
    ("generation", "experimental"): "experimental agents",
    ("prior_tki", "none"): "cohorts without a prior ALK TKI",
    ("prior_tki", "crizotinib"): "cohorts after crizotinib",
    ("prior_tki", "second"): "cohorts after a second-generation TKI",
    ("prior_tki", "any"): "cohorts after ALK TKIs of several kinds",
    ("prior_tki", "mixed"): "cohorts of which some had an ALK TKI",
}
"""Cohorts of a level, in a sentence."""

GROUP_NAMES = {
    ("line", "naive"): "Treatment-naive",
    ("line", "pretreated"): "Pretreated",
    ("line", "mixed"): "Mixed lines",
    ("generation", "first"): "First-generation TKI",
    ("generation", "second"): "Second-generation TKI",
    ("generation", "third"): "Third-generation TKI",
    ("generation", "combination"): "Combination",
    ("generation", "experimental"): "Experimental",
    ("prior_tki", "none"): "No prior ALK TKI",
    ("prior_tki", "crizotinib"): "After crizotinib",
    ("prior_tki", "second"): "After a second-gen. TKI",
    ("prior_tki", "any"): "After several ALK TKIs",
    ("prior_tki", "mixed"): "Some after an ALK TKI",
}
"""Cohorts of a level, at the beginning of a row."""

PATIENTS_OF = {
    ("line", "naive"): "treatment-naive {units}",
    ("line", "pretreated"): "pretreated {units}",
    ("prior_tki", "none"): "{units} without a prior ALK TKI",
    ("prior_tki", "crizotinib"): "{units} after crizotinib",
}
"""Patients of a level."""

HISTORIES = {
    "none": "no ALK inhibitor",
    "crizotinib": "crizotinib",
    "second": "a second-generation inhibitor",
    "any": "ALK inhibitors of mixed kinds",
    "mixed": "an ALK inhibitor in some patients",
}
"""Treatment histories, worded for a sentence."""

SHORT_HISTORIES = {
    "none": "none",
    "crizotinib": "crizotinib",
    "second": "second generation",
    "any": "any, kinds mixed",
    "mixed": "in some patients",
}
"""Treatment histories, beside a row of cells."""

COLUMN_TITLES = {
    "regimen_class": "TKI generation (as pooled)",
    "generation": "generation of the agent",
    "registry_id": "registry",
    "prior_alk_tki": "prior ALK TKI",
    "prior_chemo": "prior chemotherapy",
    "partner": "given with",
    "assessor": "{o.responses} read by",
    "assessor_basis": "reader of {o.responses}",
    "analysis_set": "denominator",
    "confirmed": "{o.responses} confirmed",
    "orr_reported": "ORR as printed, %",
    "orr_ci_low": "printed interval from, %",
    "orr_ci_high": "printed interval to, %",
    "cutoff": "data cut-off",
    "count_basis": "{o.event} count",
    "pfs_median": "median PFS, months",
    "pfs_ci_low": "its interval from",
    "pfs_ci_high": "its interval to",
    "pfs_n": "patients in the PFS analysis",
    "ic_assessor": "intracranial responses read by",
    "ic_n": "with measurable CNS disease",
    "ic_responders": "intracranial responders",
}
"""Titles of columns of the bundled table, by their names there, if different from the name."""
