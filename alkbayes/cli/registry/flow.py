"""`alkbayes registry flow`: account of every record."""

from pathlib import Path
from typing import Annotated

import typer

from alkbayes.cli.registry.options import Reg
from alkbayes.cli.shared.options import Json
from alkbayes.cli.shared.output import print_json, print_note, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FILE", help="Table that was made of REG/cohorts.csv. Default: that one.", show_default=False
    ),
]


def command(reg: Reg, data: Data = None, json_: Json = False) -> None:
    """PRISMA 2020 flow of records, reports and studies, from the search to the table of cohorts.

    Writes into REG: flow.json for `alkbayes report --flow`, prisma.csv for the R package PRISMA2020, and the diagram as
    flow.svg, flow.png and flow.pdf. Counts that do not add up are an error.

    Example: alkbayes registry flow reg
    """
    from alkbayes.presentation.registry import flow_parts
    from alkbayes.registry.flow import flow_of, write_flow
    from alkbayes.registry.folder import Folder

    folder = Folder(reg)
    flow = flow_of(folder, data)
    with working("drawing"):
        from alkbayes.plots.figures.prisma import prisma
        from alkbayes.plots.files import FORMATS, save_figures
        from alkbayes.runs.places import beside

        files = [*write_flow(folder, flow)]
        with beside(folder.file("flow")) as place:
            for format_ in FORMATS:
                (made,) = save_figures(prisma(flow), place / f"flow.{format_}")
                files.append(made.replace(folder.file(made.name)))
    if json_:
        print_json({"flow": flow.to_dict(), "files": [str(file) for file in files]})
        return
    print_parts(reader_console(), flow_parts(flow))
    for file in files:
        print_note(f"Written: {file}")
