"""What is written is what xarray writes."""

from pathlib import Path

import numpy as np
import xarray as xr

from alkbayes.runs.netcdf import write_netcdf


def test_a_tree_comes_back_as_from_xarrays_own_file(tmp_path: Path) -> None:
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {
                    "alpha": (("chain", "draw"), np.array([[0.1, np.nan, -1e300]])),
                    "beta": (("chain", "draw", "level"), np.arange(6.0).reshape(1, 3, 2), {"long_name": "HER2 status"}),
                },
                coords={"chain": [0], "draw": [0, 1, 2], "level": ["naïve, α", "b/c"]},
            ),
            "sample_stats": xr.Dataset(
                {"diverging": (("chain", "draw"), np.array([[True, False, True]]))}, coords={"chain": [0]}
            ),
            "observed_data": xr.Dataset({"responders": ("cohort", [3, 4])}, coords={"cohort": ["a", "b"]}),
            "empty": xr.Dataset({"z": (("draw", "unit"), np.empty((3, 0)))}),
        }
    )
    tree.attrs = {"made_by": "alkbayes", "interval_prob": 0.95}
    own, theirs = tmp_path / "own.nc", tmp_path / "xarrays.nc"
    with own.open("w+b") as file:
        write_netcdf(tree, file)
    tree.to_netcdf(theirs, engine="h5netcdf")
    one, other = (xr.open_datatree(path, engine="h5netcdf").load() for path in (own, theirs))
    assert one.identical(other)
    for path in one.groups:
        for name, variable in one[path].variables.items():
            assert variable.dtype == other[path].variables[name].dtype
