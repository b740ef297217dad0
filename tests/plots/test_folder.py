"""A folder of plots: all of them or none, nothing overwritten."""

from pathlib import Path

import pytest

from alkbayes.errors import UsageError
from alkbayes.plots.folder import write_plots
from alkbayes.runs.places import check_plots_place


def empty() -> object:
    import matplotlib.pyplot as plt

    return plt.subplots()[0]


def broken() -> object:
    raise RuntimeError("cannot be drawn")


def test_every_figure_becomes_a_file(tmp_path: Path) -> None:
    files = write_plots(tmp_path / "plots", {"one": empty, "two": empty})
    assert files == [tmp_path / "plots" / "one.png", tmp_path / "plots" / "two.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "plots"]


def test_a_figure_that_fails_leaves_no_folder_and_no_open_figure(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    with pytest.raises(RuntimeError, match="cannot be drawn"):
        write_plots(tmp_path / "plots", {"one": empty, "two": broken})
    assert list(tmp_path.iterdir()) == []
    assert plt.get_fignums() == []


def test_the_look_of_other_figures_is_left_alone(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = {name: value for name, value in mpl.rcParams.items() if not name.startswith("backend")}
    write_plots(tmp_path / "plots", {"one": empty})
    assert {name: mpl.rcParams[name] for name in before} == before


def test_what_is_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for name, kind in (("folder", "a folder"), ("file", "a file")):
        with pytest.raises(UsageError, match=f"{kind} is there already; nothing is overwritten"):
            check_plots_place(tmp_path / name)
        with pytest.raises(UsageError, match="is there already"):
            write_plots(tmp_path / name, {"one": empty})
    with pytest.raises(UsageError, match="there is no folder"):
        check_plots_place(tmp_path / "not" / "there")
    check_plots_place(tmp_path / "free")


def test_a_disk_that_refuses_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not be written"):
        write_plots(Path("/proc/plots"), {"one": empty})
