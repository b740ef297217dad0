"""Response rates by earlier ALK inhibitor and TKI generation, also where no cohort has had the one after the other."""

import itertools

import numpy as np
import pandas as pd

from alkbayes.errors import UsageError
from alkbayes.estimates import Posterior, profile_weights, summarise
from alkbayes.profiles import profile_predictors
from alkbayes.quadrature import expected_rate

EARLIER, GENERATION = "prior_alk_tki", "regimen_class"


def sequence_table(posterior: Posterior) -> pd.DataFrame:
    """Return the mean response rate of every combination of an earlier ALK inhibitor and a TKI generation.

    A combination with cohorts is averaged over the profiles of its own patients, as in the table of pooled rates. One
    without is a prediction of the model: it is averaged over what the patients with that earlier inhibitor have
    otherwise (their lines), given that generation.

    Returns
    -------
    pandas.DataFrame
        Columns earlier, generation, k, patients, responders, observed (whether there are cohorts), mean, median, sd,
        low, high of the estimand `mean`, in [0, 1], with the ends of its equal-tailed 95 % credible interval.

    Raises
    ------
    UsageError
        If the model has not both effects.
    """
    design = posterior.design
    levels = {block.columns[0]: block.levels for block in design.effects if len(block.columns) == 1}
    if missing := [column for column in (EARLIER, GENERATION) if column not in levels]:
        raise UsageError(
            f"the model has no effect of {' and '.join(missing)}. Use a run of the model `sequence`, or of one like it."
        )
    rows = []
    for earlier, generation in itertools.product(levels[EARLIER], levels[GENERATION]):
        of_row = design.profiles[EARLIER] == earlier
        members = of_row & (design.profiles[GENERATION] == generation)
        weights = profile_weights(posterior, members if members.any() else of_row)
        used = np.flatnonzero(weights)
        profiles = {name: values[used] for name, values in posterior.profiles.items()}
        profiles[GENERATION] = np.full(len(used), generation)
        predictors = profile_predictors(design, posterior.draws, profiles, count=len(used))
        rates = expected_rate(predictors, posterior.heterogeneity) @ weights[used]
        counts = {
            "earlier": earlier,
            "generation": generation,
            "k": int(members.sum()),
            "patients": int(design.n[members].sum()),
            "responders": int(design.responders[members].sum()),
            "observed": bool(members.any()),
        }
        rows.append(counts | summarise(rates))
    return pd.DataFrame(rows)
