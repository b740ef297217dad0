"""ZIP archives whose bytes depend on their content alone."""

import io
import zipfile
from collections.abc import Collection, Mapping

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state: that of its making would make each a different one."""
UNIX = 3
"""Number of the system whose permissions a ZIP archive states."""


def zip_of(contents: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """Return a ZIP archive of files by name, in their order; those in `executable` may be run."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name, LONG_AGO)
            info.create_system = UNIX
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return made.getvalue()


def zip_again(made: bytes) -> bytes:
    """Return a ZIP archive that a library made, with the same files in the same order, as `zip_of` makes it."""
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        return zip_of({name: archive.read(name) for name in archive.namelist()})
