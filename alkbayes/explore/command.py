"""The commands of a session: the fit of a setting, and the page again."""

import shlex
from typing import TYPE_CHECKING

from alkbayes.evidence.sources import Selection, columns_text
from alkbayes.explore.base import Base, ModelOf, is_base, settings_of
from alkbayes.inference.settings import Engine
from alkbayes.vocabulary import INTERVAL_PROB

if TYPE_CHECKING:
    from alkbayes.explore.setting import Setting


def command_of(base: Base, setting: "Setting", model: ModelOf, selection: Selection) -> list[str]:
    """Return the words of the command that fits a setting: its tables are those of the page to the byte."""
    words = ["alkbayes", "fit", model.word, *_table_words(base, selection)]
    engine = base.engine if is_base(base, setting) else setting.engine
    words += ["--engine", str(engine), "--standard", str(base.standard)]
    words += [] if base.interval_prob == INTERVAL_PROB else ["--level", f"{base.interval_prob:g}"]
    settings = settings_of(base, setting)
    names = ("seed", "chains", "draws", *(["tune"] if engine is Engine.NUTS else []))
    words += [word for name in names for word in (f"--{name}", str(getattr(settings, name)))]
    return words


def restart_command(base: Base) -> str:
    """Return the command that opens the page of a base again."""
    if base.run is not None:
        return shlex.join(["alkbayes", "explore", str(base.run)])
    return shlex.join(["alkbayes", "explore", *_table_words(base, base.selection), "--model", base.model_word])


def _table_words(base: Base, selection: Selection) -> list[str]:
    """Return the options that say which table, and which cohorts of it."""
    words: list[str] = []
    if base.source is not None and not base.source.bundled:
        words += ["--data", "-" if base.source.path is None else str(base.source.path)]
        words += [] if base.source.sheet is None else ["--sheet", base.source.sheet]
        words += ["--columns", columns_text(base.source.columns)] if base.source.columns else []
    words += ["--where", selection.where] if selection.where else []
    words += [word for name in selection.exclude for word in ("--exclude", name)]
    words += ["--reason", selection.reason] if selection.reason else []
    return words
