"""What is said of the next cohort, of averages and of contrasts, by what the model has and the table can show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alkbayes.estimates.results import results_of
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.table import Evidence, read_evidence
from alkbayes.inference.fit import fit_model
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.model.identification import NO_VARIANCE, ONE_TRIAL
from alkbayes.presentation.fit import column_meanings, heterogeneity_rows
from alkbayes.presentation.key_results import key_results
from alkbayes.presentation.plain_language import summary
from alkbayes.spec.schema import Spec, read_spec

STRANGERS = Path(__file__).parents[1] / "fixtures" / "strangers"
SETTINGS = SamplerSettings(chains=2, draws=500)
HALF = {"dist": "half_normal", "sd": 0.5}
TRIAL = {"column": "trial", "distribution": "normal", "sd_prior": HALF}
COHORT = {"column": "cohort_id", "distribution": "normal", "sd_prior": HALF}
BETA = {"family": "beta_binomial", "rho_prior": {"dist": "beta", "a": 1.0, "b": 9.0}}
NESTED = "a1 A naive first 30 20\na2 A naive first 12 4\nb B naive first 40 31\nc C naive first 25 11"
ONE_EACH = "a A naive first 30 20\nb B naive first 40 31\nc C naive first 25 11"


def fitted(spec: Spec, evidence: Evidence) -> Any:
    return results_of(fit_model(spec, evidence, engine=Engine.QUADRATURE, settings=SETTINGS)).document


@pytest.fixture(scope="module")
def basket() -> Any:
    """Six cohorts of one trial in five tumours, and a model without heterogeneity."""
    spec = read_spec(STRANGERS / "vemu_basket.toml")
    return fitted(spec, read_evidence(STRANGERS / "vemu_basket.csv", needed=spec.columns))


def test_a_model_without_variance_says_what_its_prediction_interval_leaves_out(basket: Any) -> None:
    assert basket["heterogeneity_unit"] is None
    for told in (dict(key_results(basket))["Pooled objective response rate"], summary(basket), str(basket["notes"])):
        assert told.count(NO_VARIANCE) == 1
    everything = f"{key_results(basket)} {summary(basket)} {column_meanings(basket)} {basket['notes']}"
    assert "new trial" not in everything
    assert "% in a new cohort (95 % prediction interval)" in everything
    assert "average over cohorts, with" in everything
    assert "Averaged over cohorts for the mix" in everything


def test_one_trial_and_levels_of_one_cohort_are_said_of_such_a_model_too(basket: Any) -> None:
    assert basket["notes"][:3] == [
        (
            "tumour: ATC, Cholangiocarcinoma, ECD/LCH and NSCLC have one cohort each: nothing shows how cohorts of "
            "these levels differ."
        ),
        NO_VARIANCE,
        ONE_TRIAL,
    ]


def test_a_contrast_within_one_trial_compares_no_trials(basket: Any) -> None:
    caveat = "Cohorts are not randomised between levels: a contrast compares different cohorts, patients and years, and"
    assert basket["notes"][-1].startswith(caveat)
    assert "different trials, patients" in ORR.not_randomised(2)
    assert "different cohorts, patients" in ORR.not_randomised(None)
    assert "Patients were not randomised between levels of tumour: a difference" in summary(basket)


@pytest.mark.parametrize(
    ("terms", "said"), [([TRIAL, COHORT], "between cohorts of one trial, SD"), ([COHORT], "between cohorts, SD")]
)
def test_tau_cohort_is_within_trials_only_where_the_model_has_trials(
    terms: list[Any], said: str, spec_of: Callable[..., Spec], table_of: Callable[..., Evidence]
) -> None:
    rows = heterogeneity_rows(fitted(spec_of(heterogeneity=terms), table_of(NESTED))).rows
    meanings = {name: meaning for name, *_, meaning in rows}
    assert meanings["tau_cohort"] == f"{said} on the logit scale"


@pytest.mark.parametrize(
    ("parts", "table", "new", "average"),
    [
        ({"heterogeneity": [TRIAL, COHORT]}, NESTED, "a new cohort of a new trial", "trials and cohorts"),
        ({"heterogeneity": [TRIAL, COHORT]}, ONE_EACH, "a new cohort of a new trial", "trials and cohorts"),
        ({"heterogeneity": [TRIAL]}, NESTED, "a new cohort of a new trial", "trials and cohorts"),
        ({"heterogeneity": [COHORT]}, NESTED, "a new cohort", "cohorts"),
        ({"likelihood": BETA}, NESTED, "a new cohort", "cohorts"),
    ],
)
def test_the_next_cohort_is_worded_by_the_model(
    parts: dict[str, Any],
    table: str,
    new: str,
    average: str,
    spec_of: Callable[..., Spec],
    table_of: Callable[..., Evidence],
) -> None:
    document = fitted(spec_of(**parts), table_of(table))
    meanings = dict(column_meanings(document))
    assert meanings["next cohort"] == f"prediction interval: where the response rate of {new} may lie"
    assert meanings["mean"] == f"the average over {average}, with its credible interval"
    assert f"% in {new} (95 % prediction interval)." in dict(key_results(document))["Pooled objective response rate"]
    assert f"response rate of {new} may lie between" in summary(document)
    assert NO_VARIANCE not in f"{key_results(document)} {summary(document)} {document['notes']}"
