"""Options that the commands share."""

from pathlib import Path
from typing import Annotated

import typer

Reg = Annotated[Path, typer.Argument(metavar="REG", help="Folder of the records.", show_default=False)]
ProtocolFile = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="PROTOCOL",
        help="Protocol: a TOML file, or a bundled one (alk, ros1). Default: the folder's, else that of its query.",
        show_default=False,
    ),
]
