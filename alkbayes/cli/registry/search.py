"""`alkbayes registry search`: records of a query, from the registry or from files."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alkbayes.cli.shared.options import Json
from alkbayes.cli.shared.output import print_json, print_message, print_note, reader_console
from alkbayes.cli.shared.progress import counted
from alkbayes.cli.shared.reader import print_parts
from alkbayes.errors import UsageError

if TYPE_CHECKING:
    from alkbayes.registry.folder import Folder
    from alkbayes.registry.search import Search
    from alkbayes.registry.service import Service

INTERRUPTED = 130

Query = Annotated[
    str | None,
    typer.Argument(
        metavar="QUERY", help="Query: a TOML file, or a bundled one (alk, ros1). Default: alk.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="REG", help="Folder for the records, new or of an earlier search.")]
From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="FILE|FOLDER",
        help="Take records that were downloaded before, without the network: JSON, XML, AACT, zip; repeatable.",
        show_default=False,
    ),
]


def command(out: Out, query: Query = None, from_: From = None, json_: Json = False) -> None:
    """Search of ClinicalTrials.gov, every record kept; the network needs the extra `registry`.

    Makes one request a second. Interrupted, the same command goes on. Run again later, it downloads what is new or
    changed, and says what is new, changed and gone.

    Example: alkbayes registry search --from downloads --out reg
    """
    from alkbayes.presentation.registry import search_parts
    from alkbayes.registry.folder import Folder

    folder = Folder(out)
    if from_ and query is not None:
        raise UsageError("--from takes records from files, and QUERY asks the registry. Give one of them.")
    try:
        with counted("records") as progress:
            found = _files(folder, from_, progress) if from_ else _registry(folder, query, progress)
    except KeyboardInterrupt as interrupt:
        print_message("interrupted: records that have come are kept, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from interrupt
    if json_:
        print_json({"search": folder.read_json("search.json")})
        return
    print_parts(reader_console(), search_parts(found))
    print_note(f"Records: {folder.records}. Next: alkbayes registry screen {out}")


def _files(folder: "Folder", paths: list[Path], progress: Callable[[int, int], None] | None) -> "Search":
    from alkbayes.registry.formats.files import sources_of
    from alkbayes.registry.search import search_files

    return search_files(folder, sources_of(paths), progress)


def _registry(folder: "Folder", query: str | None, progress: Callable[[int, int], None] | None) -> "Search":
    from alkbayes.registry.declarations import named_file, read_query
    from alkbayes.registry.search import search_registry
    from alkbayes.registry.service import check_installed

    path = named_file(query, "query")
    asked = read_query(path)
    check_installed()
    service = _service()
    try:
        return search_registry(folder, asked, path.read_bytes(), service, progress)
    finally:
        service.close()


def _service() -> "Service":
    """Return the registry; tests put one of this machine in its place."""
    from alkbayes.registry.service import Service

    return Service()
