"""`alkbayes registry extract`: figures of the records as tables."""

from alkbayes.cli.registry.options import ProtocolFile, Reg
from alkbayes.cli.shared.options import Json
from alkbayes.cli.shared.output import print_json, print_note, reader_console
from alkbayes.cli.shared.progress import counted
from alkbayes.cli.shared.reader import print_parts


def command(reg: Reg, protocol: ProtocolFile = None, json_: Json = False) -> None:
    """Response, survival and adverse events of the records that screening kept, each figure with its place there.

    Writes candidates.csv, cohorts.csv, sources.csv, adverse_events.csv and undecided.csv into REG. Where several counts
    fit a printed rate, all are listed and none is guessed. Without a screening, all records are read.

    Example: alkbayes registry extract reg
    """
    from alkbayes.presentation.registry import extraction_parts
    from alkbayes.registry.declarations import protocol_path, read_protocol
    from alkbayes.registry.extraction.tables import extract_folder, rows_of
    from alkbayes.registry.folder import COHORTS_FILE, UNDECIDED_FILE, Folder

    folder = Folder(reg)
    rules = read_protocol(protocol_path(folder, protocol))
    with counted("records") as progress:
        extraction = extract_folder(folder, rules, progress)
    if json_:
        rows = [rows_of(folder, number, rules) for number in extraction.studies]
        print_json(
            {
                "protocol": rules.name,
                "candidates": [each.as_row() for found, _ in rows for each in found],
                "cohorts": list(extraction.cohorts),
                "undecided": [each.as_row() for each in extraction.undecided],
                "adverse_events": [row for _, found in rows for row in found],
            }
        )
        return
    print_parts(reader_console(), extraction_parts(extraction))
    print_note(f"Table: {folder.file(COHORTS_FILE)}; to decide: {folder.file(UNDECIDED_FILE)}.")
    if extraction.cohorts:
        print_note(f"Next: alkbayes registry flow {reg}; alkbayes fit --data {folder.file(COHORTS_FILE)}")
