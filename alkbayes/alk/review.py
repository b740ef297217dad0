"""The published review whose table the bundled one reconstructs, and the analyses of it."""

REVIEW = (
    "The review whose table it reconstructs reports 66 cohorts of 41 trials, 6,382 patients, and a pooled ORR of "
    "58.5 % (57.3–59.7), which is the interval of one proportion on summed counts."
)
"""What the review prints."""

RECONSTRUCTION = (
    "The bundled table reconstructs that of the published review: close to it, but not identical "
    "(sources of every row: alkbayes/data/sources.csv)."
)
"""What a reader of any number made of the bundled table must know."""

REBUILT = (
    "The table reconstructs that of the published review from registries, articles and abstracts; it is close to the "
    "review's, but not identical."
)
"""The same in plain language."""

WITHIN_TRIALS = "Randomised trials compare TKI generations within trials: `alkbayes randomised`."
"""Where a reader of a contrast between single arms of the bundled table finds one that was randomised."""

OF_DRUGS = " of ALK inhibitors"
"""What the bundled table's rates are of, after the name of a rate."""

ANALYSES = {
    "pfs": ("pfs_median",),
    "intracranial": ("ic_responders", "ic_n"),
    "sequence": ("prior_alk_tki", "regimen_class"),
    "resistance": ("prior_alk_tki", "regimen_class"),
    "randomised": ("prior_alk_tki", "regimen_class"),
}
"""Analyses of the review beside the fit, with the columns of a table for which they make sense."""
