"""`alkbayes registry screen`: which records belong to the review."""

from alkbayes.cli.registry.options import ProtocolFile, Reg
from alkbayes.cli.shared.options import Json
from alkbayes.cli.shared.output import print_json, print_note, reader_console
from alkbayes.cli.shared.progress import working
from alkbayes.cli.shared.reader import print_parts


def command(reg: Reg, protocol: ProtocolFile = None, json_: Json = False) -> None:
    """Screening of the records by the ordered rules of a protocol, each decision with the words it rests on.

    Writes REG/screening.csv. Change a decision, reason or note there, and the row is yours: no later run overwrites it.

    Example: alkbayes registry screen reg --protocol alk
    """
    from alkbayes.presentation.registry import screening_parts
    from alkbayes.registry.declarations import protocol_path, read_protocol
    from alkbayes.registry.folder import PROTOCOL_FILE, SCREENING_FILE, Folder, replaced
    from alkbayes.registry.screening.decisions import screen_folder

    folder = Folder(reg)
    path = protocol_path(folder, protocol)
    rules = read_protocol(path)
    content = path.read_bytes()
    with working("screening"):
        screening = screen_folder(folder, rules)
    with replaced(folder.file(PROTOCOL_FILE)) as place:
        place.write_bytes(content)
    if json_:
        rows = [row.as_cells() for row in screening.rows]
        print_json({"protocol": rules.name, "screening": rows, "overruled": list(screening.overruled)})
        return
    print_parts(reader_console(), screening_parts(screening, rules.name))
    print_note(f"Decisions: {folder.file(SCREENING_FILE)}. Next: alkbayes registry extract {reg}")
