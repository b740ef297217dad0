"""`alkbayes registry diff`: the registry's figures beside those of a table."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.registry.options import ProtocolFile, Reg
from alkbayes.cli.shared.options import Csv, Json, Latex
from alkbayes.cli.shared.output import check_format, print_csv, print_json, print_note, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Table of cohorts. Default: the bundled trials.", show_default=False),
]


def command(
    reg: Reg,
    data: Data = None,
    protocol: ProtocolFile = None,
    json_: Json = False,
    csv: Csv = False,
    latex: Latex = False,
) -> None:
    """Comparison of a table with the registry, by trial and arm: response rate and median PFS.

    Each figure is the same, of another cut, assessor or n, only there, only here, or a contradiction. Nothing is
    overwritten: a table takes the primary analysis, the registry shows the last one.

    Example: alkbayes registry diff reg --data cohorts.csv
    """
    check_format(json_=json_, csv=csv, latex=latex)
    from alkbayes.presentation.registry import MOST_ROWS, difference_parts
    from alkbayes.registry.comparison import COLUMNS, compare_folder
    from alkbayes.registry.declarations import protocol_path, read_protocol
    from alkbayes.registry.folder import Folder

    folder = Folder(reg)
    rules = read_protocol(protocol_path(folder, protocol))
    with working("comparing"):
        differences = compare_folder(folder, rules, data)
    rows = [each.as_row() for each in differences]
    if json_:
        print_json({"differences": rows})
    elif csv:
        import pandas as pd

        print_csv(pd.DataFrame(rows, columns=COLUMNS))
    else:
        print_parts(reader_console(), difference_parts(differences))
        if len(differences) > MOST_ROWS:
            print_note(f"All rows: alkbayes registry diff {reg} --csv")
