"""Model files of medians, and what is said of one kind of model where the other is wanted."""

import copy
import re
import tomllib

import numpy as np
import pytest
from scipy import stats

from alkbayes.errors import SpecError
from alkbayes.spec.medians import parse_median_spec, read_median_spec
from alkbayes.spec.schema import Declaration, model_names, model_path, parse_spec

PATH = model_path("pfs")
BUNDLED = tomllib.loads(PATH.read_text(encoding="utf-8"))
STUDENT = {"dist": "student_t", "nu": 4, "mean": 0.0, "sd": 1.0}
ODD_TRIALS = BUNDLED["heterogeneity"][0] | {"distribution": "student_t", "nu": 4}


def changed(path: str, value: object) -> dict:
    data = copy.deepcopy(BUNDLED)
    *parents, key = path.split(".")
    here = data
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here[part]
    here[int(key) if isinstance(here, list) else key] = value
    return data


def test_the_bundled_model_is_valid_and_every_prior_has_a_reason() -> None:
    spec = read_median_spec(PATH)
    assert isinstance(spec, Declaration)
    assert spec.columns == ("line", "regimen_class", "trial")
    assert parse_median_spec(spec.model_dump(by_alias=True), source="dumped") == spec
    text = PATH.read_text(encoding="utf-8")
    assert text.count("prior = ") == text.count("why = ") == 5
    assert "pfs" not in model_names()


def test_every_number_in_a_why_is_right() -> None:
    intercept, line, generation, trial, _ = re.findall(
        r'^why = "(.*)"$', PATH.read_text(encoding="utf-8"), re.MULTILINE
    )
    low, middle, high = np.exp(stats.norm(2.5, 1.0).ppf([0.025, 0.5, 0.975]))
    assert f"median PFS {middle:.0f} months, 95 % between {low:.1f} and {high:.0f}" in intercept
    assert f"between 1/{(ratio := np.exp(stats.norm(0, 0.75).ppf(0.975))):.1f} and {ratio:.1f}" in line
    rng = np.random.default_rng(1)
    sd = np.abs(rng.normal(0.0, 0.5, 400_000))
    apart = np.exp(np.abs(sd * np.sqrt(2) * rng.standard_normal(len(sd))))
    for why in (generation, trial):
        said = re.search(r"median ratio of medians ([\d.]+), 95 % below ([\d.]+)", why)
        # Rounded to a tenth; 400,000 draws know the factor at 95 % to 0.01.
        assert [float(number) for number in said.groups()] == pytest.approx(np.quantile(apart, [0.5, 0.95]), abs=0.06)
    sds = stats.halfnorm(scale=0.5).ppf([0.5, 0.95])
    assert f"their SD: median {sds[0]:.2f}, 95 % below {sds[1]:.2f}" in generation


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("intercept.prior", STUDENT, 'intercept.prior.dist: found "student_t"'),
        ("effect.0.prior", STUDENT, 'effect[0].prior.dist: found "student_t"'),
        ("heterogeneity.0", ODD_TRIALS, 'heterogeneity[0].distribution: found "student_t"'),
        ("likelihood.link", "logit", "likelihood.link"),
        ("likelihood.family", "poisson", "likelihood.family"),
        ("effect.0.reference", "naiv", 'Did you mean "naive"?'),
        ("outcome", {}, "outcome"),
    ],
)
def test_what_is_refused(path: str, value: object, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_median_spec(changed(path, value), source="own.toml")
    assert str(caught.value).startswith("own.toml: this is not a valid model file")
    assert says in str(caught.value)


def test_a_missing_prior_has_no_default() -> None:
    data = copy.deepcopy(BUNDLED)
    del data["effect"][1]["sd_prior"]
    with pytest.raises(SpecError, match=r"effect\[1\]\.sd_prior.*is missing"):
        parse_median_spec(data, source="own.toml")


def test_each_kind_of_model_says_which_command_fits_it() -> None:
    with pytest.raises(SpecError, match=r"own\.toml: this is a model of medians .* with: alkbayes pfs own\.toml"):
        parse_spec(BUNDLED, source="own.toml")
    rates = tomllib.loads(model_path("line").read_text(encoding="utf-8"))
    with pytest.raises(SpecError, match=r"line\.toml: this is a model of response rates .* alkbayes fit line\.toml"):
        parse_median_spec(rates, source="line.toml")


def test_numbers_and_unpooled_interactions_need_normal_priors() -> None:
    prior = {"prior": {"dist": "student_t", "nu": 3, "mean": 0.0, "sd": 0.5}, "why": "a test"}
    age = {"kind": "numeric", "column": "age", "centre": 60, "scale": 10, "step": "per 10 years"} | prior
    crossed = {"kind": "interaction", "column": ["line", "age"]} | prior
    place = len(BUNDLED["effect"])
    with pytest.raises(SpecError) as caught:
        parse_median_spec(BUNDLED | {"effect": [*BUNDLED["effect"], age, crossed]}, source="mine.toml")
    for position in (place, place + 1):
        assert f'effect[{position}].prior.dist: found "student_t"; allowed: "normal".' in str(caught.value)
