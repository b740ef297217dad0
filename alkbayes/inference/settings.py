"""Settings of the engines."""

from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral

from alkbayes.errors import UsageError

DEFAULT_SEED = 20251
MAX_SEED = 2**32 - 1
MAX_STEPS = 100_000
"""Maximum draws, and maximum tuning steps, of each chain."""
RECORDED_PACKAGES = ("alkbayes", "arviz-stats", "numba", "numpy", "nutpie", "pymc", "pytensor", "scipy", "xarray")


class Engine(StrEnum):
    """Engine that draws from a model's posterior."""

    NUTS = "nuts"
    QUADRATURE = "quadrature"


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """Settings of the engines.

    Attributes
    ----------
    seed
        Random seed for all draws, including predictive ones; the same seed and versions give the same results.
    chains, draws
        Number of chains, and of draws in each; quadrature splits its draws into chains at random.
    tune
        Tuning steps of each chain; NUTS only.
    target_accept
        Target mean acceptance rate for the step size; NUTS only. High, because a divergence costs more than the time:
        the bundled models take 15 to 30 gradients per draw at 0.95.

    Raises
    ------
    UsageError
        If a setting is outside its range.
    """

    seed: int = DEFAULT_SEED
    chains: int = 4
    draws: int = 1000
    tune: int = 1000
    target_accept: float = 0.95

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("seed", self.seed, 0, MAX_SEED),
            ("chains", self.chains, 2, 64),
            ("draws", self.draws, 100, MAX_STEPS),
            ("tune", self.tune, 100, MAX_STEPS),
        ):
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise UsageError(f"found {value!r}; allowed: a whole number, {low} to {high:,}.", parameter=name)
            if not low <= value <= high:
                reason = " (one chain cannot show that chains agree)" if name == "chains" and value == 1 else ""
                raise UsageError(f"found {value}; allowed: {low} to {high:,}{reason}.", parameter=name)
            # NumPy's integers are none of JSON's, in which the settings are kept.
            object.__setattr__(self, name, int(value))


def versions() -> dict[str, str]:
    """Return the versions of software that results may depend on."""
    # Here and not at the top: `--help` must not wait for it.
    from importlib.metadata import version

    return {package: version(package) for package in RECORDED_PACKAGES}
