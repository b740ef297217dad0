"""The figure of a study's ranks shows what is there."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from alkbayes.calibration.uniformity import p_uniform
from alkbayes.errors import RunError
from alkbayes.plots.figures.ranks import rank_figure, write_rank_plot

RNG = np.random.default_rng(1)
RANKS = {"good": RNG.integers(0, 100, 300).tolist(), **{f"other {i}": list(range(100)) * 3 for i in range(4)}}
RANKS["narrow"] = np.where(RNG.uniform(size=300) < 0.3, 99, RANKS["good"]).tolist()


def test_each_quantity_has_its_ecdf_and_one_outside_its_envelope_is_marked() -> None:
    axes = rank_figure(RANKS, kept=99).axes
    assert [axis.get_title() for axis in axes[:6]] == list(RANKS)
    assert len(axes) == 8
    for axis, values in zip(axes, RANKS.values(), strict=False):
        x, y = axis.lines[0].get_data()
        expected = [np.mean(np.array(values) < j) - j / 100 for j in range(1, 100)]
        np.testing.assert_allclose(y, expected, atol=1e-12)
        np.testing.assert_allclose(x, np.arange(1, 100) / 100)
        outside = to_rgba(axis.lines[0].get_color()) == to_rgba("C3")
        assert outside == (p_uniform(np.array(values), kept=99) < 0.05)
    assert to_rgba(axes[5].lines[0].get_color()) == to_rgba("C3")


def test_it_is_written(tmp_path: Path) -> None:
    path = write_rank_plot(tmp_path / "new", RANKS, kept=99)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RunError, match="cannot be written"):
        write_rank_plot(path, RANKS, kept=99)
