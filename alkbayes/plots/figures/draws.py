"""Diagnostic plots of a run's draws, by ArviZ where available."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from alkbayes.estimates.headline import headline_of
from alkbayes.estimates.rates import posterior_of
from alkbayes.inference.fit import Fit, global_parameters
from alkbayes.plots.folder import Figures
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from matplotlib.figure import Figure

type Array = NDArray[np.float64]

WIDTH, HEIGHT = 3.0, 2.1
"""Panel size in inches."""
COLUMNS = 4
BAND_SIMULATIONS = 200
"""Simulations for the band of rank plots; more take seconds and move it by less than a line's width."""


def diagnosis_figures(fit: Fit) -> Figures:
    """Return the diagnostic figures of a fit.

    Chains get rank plots of parameters and headline numbers, traces with densities, effective sample size by quantile,
    and energy. Quadrature draws, whose chains are a random split, get the weights and the duplicates of draws.
    """
    if fit.provenance.weights is not None:
        return {"weights": lambda: _weights(fit)}
    stats = fit.tree["sample_stats"].to_dataset()
    parameters = xr.DataTree.from_dict({"posterior": _global(fit), "sample_stats": stats})
    reported = xr.DataTree.from_dict({"posterior": _reported(fit), "sample_stats": stats})
    return {
        "rank-parameters": lambda: _rank(parameters, "Ranks of the parameters"),
        "rank-reported": lambda: _rank(reported, "Ranks of the headline numbers"),
        "trace-parameters": lambda: _trace(parameters),
        "ess-parameters": lambda: _ess(parameters, "Parameters"),
        "ess-reported": lambda: _ess(reported, "Headline numbers"),
        "energy": lambda: _energy(parameters),
    }


def _global(fit: Fit) -> xr.Dataset:
    """Return the global parameters, one variable per entry."""
    found: dict[str, xr.DataArray] = {}
    for name, values in global_parameters(fit.tree["posterior"].to_dataset()).data_vars.items():
        if values.ndim == 2:
            found[str(name)] = values
            continue
        dim = values.dims[2]
        for entry in values[dim].to_numpy():
            found[f"{name}[{entry}]"] = values.sel({dim: entry}, drop=True)
    return xr.Dataset(found)


def _reported(fit: Fit) -> xr.Dataset:
    """Return the headline numbers as variables, averaged over replicates within draws."""
    shape = fit.tree["sample_stats"]["lp"].shape
    variables = {
        number.name.replace(", ", ",\n"): (
            ("chain", "draw"),
            number.draws.reshape(len(number.draws), -1).mean(axis=1).reshape(shape),
        )
        for number in headline_of(posterior_of(fit))
    }
    return xr.Dataset(variables, coords={"chain": np.arange(shape[0]), "draw": np.arange(shape[1])})


def _panels(tree: xr.DataTree) -> dict[str, Any]:
    """Return arguments for a grid of panels large enough for their titles."""
    count = len(tree["posterior"].data_vars)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    return {
        "backend": "matplotlib",
        "col_wrap": columns,
        "figure_kwargs": {"figsize": (WIDTH * columns, HEIGHT * rows + 0.8), "figsize_units": "inches"},
    }


def _rank(tree: xr.DataTree, title: str) -> "Figure":
    import arviz_plots as azp

    # The band assumes independent draws: chains are thinned to about their effective sample size.
    plot = azp.plot_rank(
        tree,
        method="envelope",
        thin=True,
        envelope_prob=INTERVAL_PROB,
        stats={"ecdf_pit": {"n_simulations": BAND_SIMULATIONS}},
        **_panels(tree),
    )
    return _titled(plot, f"{title}: where chains agree, 95 % of panels have every line within the grey band")


def _trace(tree: xr.DataTree) -> "Figure":
    import arviz_plots as azp

    count = len(tree["posterior"].data_vars)
    size = {"figsize": (9.0, 1.3 * count + 0.8), "figsize_units": "inches"}
    plot = azp.plot_trace_dist(tree, compact=False, backend="matplotlib", figure_kwargs=size)
    figure = _titled(plot, "Densities and traces of the parameters, a colour for each chain; divergences as ticks")
    for trace in figure.axes[1::2]:
        # The density beside it already has the name.
        trace.set_ylabel("")
        trace.set_xlabel("")
    figure.axes[-1].set_xlabel("Draw")
    return figure


def _ess(tree: xr.DataTree, title: str) -> "Figure":
    import arviz_plots as azp

    plot = azp.plot_ess(tree, kind="quantile", **_panels(tree))
    return _titled(plot, f"{title}: effective sample size for each quantile, above the dashed line at 400")


def _energy(tree: xr.DataTree) -> "Figure":
    import arviz_plots as azp

    plot = azp.plot_energy(tree, backend="matplotlib", figure_kwargs={"figsize": (9.0, 3.2), "figsize_units": "inches"})
    figure = _titled(plot, "Energy: the two distributions should be alike, and E-BFMI of each chain above 0.3")
    figure.axes[0].set_yticks(range(tree["sample_stats"].sizes["chain"]))
    return figure


def _titled(plot: Any, title: str) -> "Figure":
    figure: Figure = plot.get_viz("figure")
    figure.suptitle(title)
    return figure


def _weights(fit: Fit) -> "Figure":
    import matplotlib.pyplot as plt

    weights = fit.provenance.weights
    stats = fit.tree["sample_stats"].to_dataset()
    copies = np.unique(stats["proposal"].to_numpy(), return_counts=True)[1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.4))
    left.hist(np.exp(stats["log_weight"].to_numpy().ravel()), bins=40, color="C0")
    left.set_xlabel("weight before resampling, in units of an equal one")
    left.set_ylabel("kept draws")
    values, counts = np.unique(copies, return_counts=True)
    right.bar(values, counts, color="C0", width=0.7)
    right.set_xticks(values)
    right.set_xlabel("copies of a weighted draw")
    right.set_ylabel("weighted draws")
    k = float("nan") if weights is None else weights.pareto_k
    figure.suptitle(f"Importance weights: Pareto k {k:.2f}, where at most 0.7 is allowed")
    return figure
