"""Tables of a finished run behind its figures, read when needed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alkbayes.evidence.outcomes import Outcome
from alkbayes.evidence.table import BUNDLED
from alkbayes.plots.page.style import Caption
from alkbayes.presentation.fit import cross_check_faults, notes_in
from alkbayes.text.notes import NoteKind
from alkbayes.text.wording import counted, ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from alkbayes.appraisal.certainty import CertaintySheet
    from alkbayes.appraisal.judgements import Appraisal
    from alkbayes.estimates.results import Results
    from alkbayes.evidence.table import Evidence
    from alkbayes.inference.fit import Fit
    from alkbayes.runs.document import FitDocument, RunDocument

NUMBERS = frozenset({"observed", "expected", "mean", "median", "sd", "low", "high", "shrinkage", "exchangeable"})
COUNTS = frozenset({"n", "responders"})


OF_CONTRASTS = (NoteKind.NOT_RANDOMISED, NoteKind.WITHIN_TRIALS)
"""Notes that belong to the figure of contrasts alone, which has them."""


@dataclass(frozen=True)
class RunTables:
    """A finished run, with slow reads cached.

    Attributes
    ----------
    folder
        Folder of the run.
    document
        Document from :func:`alkbayes.runs.run.read_run_at`.
    made
        Results of the run made anew for intervals of another probability; None for those of the run.
    named
        The run in commands that are shown to readers; None for its folder.
    """

    folder: Path
    document: "RunDocument"
    made: "Results | None" = None
    named: Path | None = None

    @property
    def pooled(self) -> "pd.DataFrame":
        """As :func:`alkbayes.estimates.rates.pooled_table`."""
        return _frame(self.document["pooled"])

    @property
    def contrasts(self) -> "pd.DataFrame":
        """As :func:`alkbayes.estimates.rates.contrast_table`."""
        return _frame(self.document["contrasts"])

    @property
    def heterogeneity(self) -> "pd.DataFrame":
        """As :func:`alkbayes.estimates.rates.heterogeneity_table`."""
        return _frame(self.document["heterogeneity"])

    @property
    def cohorts(self) -> "pd.DataFrame":
        """As :func:`alkbayes.estimates.rates.cohort_table`."""
        import pandas as pd

        if self.made is not None:
            return self.made.cohorts
        # A cohort may be named "NA" or "007".
        table = pd.read_csv(self.folder / "cohorts.csv", dtype=str, keep_default_na=False)
        kinds = dict.fromkeys(NUMBERS & set(table), "float64") | dict.fromkeys(COUNTS, "int64")
        return table.astype(kinds)

    @property
    def frame(self) -> "pd.DataFrame":
        """Rows of the table of the cohorts that the model was fitted to, in the order of `cohorts`."""
        frame = self.evidence.frame
        return frame.set_index(frame["cohort_id"].astype(str)).loc[self.cohorts["cohort_id"]].reset_index(drop=True)

    @property
    def trials(self) -> int | None:
        """Number of trials; None if the table names none."""
        return self.document["evidence"]["trials"]

    @property
    def outcome(self) -> Outcome:
        """Outcome counted."""
        return Outcome.of(self.document["outcome"])

    @cached_property
    def evidence(self) -> "Evidence":
        """Evidence table fitted to, under its original name."""
        from alkbayes.runs.run import run_evidence

        return run_evidence(self.folder, self.document, outcome=self.outcome)

    @cached_property
    def appraisal(self) -> "Appraisal | None":
        """Judgements of the risk of bias of the run's cohorts, in their order; None if the table has none."""
        from alkbayes.runs.appraisal import appraisal_of

        found = appraisal_of(self.folder, self.evidence)
        return None if found is None else found.among(self.cohorts["cohort_id"].astype(str).tolist())

    @cached_property
    def certainty(self) -> "CertaintySheet":
        """What GRADE asks for of the run."""
        from alkbayes.appraisal.certainty import certainty_sheet

        return certainty_sheet(
            self.fit.evidence,
            question=self.document["question"],
            pooled=self.document["pooled"],
            heterogeneity=self.document["heterogeneity"],
            appraisal=self.appraisal,
            prob=self.document["interval_prob"],
        )

    @cached_property
    def fit(self) -> "Fit":
        """Whole fit, for figures that need draws."""
        from alkbayes.runs.run import read_fit

        return read_fit(self.folder, prob=self.document["interval_prob"])

    @property
    def caption(self) -> Caption:
        """Caption for every figure of the run."""
        document, evidence, outcome = self.document, self.document["evidence"], self.outcome
        trials = "" if evidence["trials"] is None else f" of {counted(evidence['trials'], 'trial')}"
        source = "bundled evidence" if evidence["source"] == BUNDLED else f"evidence {evidence['source']}"
        made_of = (
            f"Model {document['model']}; {source}, {counted(evidence['cohorts'], 'cohort')}{trials}, "
            f"{outcome.events_of(evidence['responders'])} of {outcome.units_of(evidence['patients'])}."
        )
        # Notes on the bundled table first: with very many notes, a page has room for the first only.
        notes = [note for note in notes_in(document) if note.kind not in OF_CONTRASTS]
        notes.sort(key=lambda note: note.kind is not NoteKind.RECONSTRUCTION)
        said = (ended(note.text) for note in notes)
        return Caption((made_of, *said), warning(document), outcome, document["interval_prob"])


def _frame(rows: "Sequence[Mapping[str, object]]") -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows)


def warning(document: "FitDocument") -> str:
    """Return the reason not to use a run's numbers, or an empty string."""
    if not document["diagnostics"]["converged"]:
        return f"NOT CONVERGED, not to be used: {'; '.join(document['diagnostics']['failures'])}"
    if faults := cross_check_faults(document):
        return f"CROSS-CHECK FAILED, not to be used: {'; '.join(faults)}"
    return ""
