"""The analysis that is begun with, and how a setting changes its table, its model and its command."""

import json
import keyword
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alkbayes.errors import UsageError
from alkbayes.evidence.naming import COHORT
from alkbayes.evidence.outcomes import ORR
from alkbayes.evidence.sources import ALL_COHORTS, Selection, TableSource
from alkbayes.evidence.table import Evidence, chosen, read_evidence
from alkbayes.explore.edits import bundled, changes, edited, model_file
from alkbayes.explore.setting import QUICK_DRAWS, Setting
from alkbayes.inference.settings import Engine, SamplerSettings
from alkbayes.runs.command import tune_asked
from alkbayes.spec.default_model import default_model, usual_standard
from alkbayes.spec.schema import Spec, model_names, model_path, read_spec
from alkbayes.text.names import near_miss, quoted
from alkbayes.vocabulary import INTERVAL_PROB, PLAIN_NAME, Standard, is_missing

if TYPE_CHECKING:
    from alkbayes.runs.document import ExplorationRecord, RunDocument


@dataclass(frozen=True, slots=True)
class Base:
    """The analysis that is begun with.

    Attributes
    ----------
    source
        The table, with the cohorts chosen of it; None for the bundled one.
    spec, model_bytes, model_word
        The model, its file, and its name or path in a command.
    chosen
        Why this model, where none was named.
    standard, interval_prob, chains
        As of a fit.
    setting
        The setting of the base itself.
    run
        Folder of the run that is begun with, if any.
    engine, tune
        Engine of the base, and tuning steps by NUTS: a run by NUTS is compared with refits by quadrature.
    exploration
        How the run that is begun with was come upon, if it is exploratory itself.
    """

    source: TableSource | None
    spec: Spec
    model_bytes: bytes
    model_word: str
    chosen: str | None = None
    standard: Standard = Standard.OWN
    interval_prob: float = INTERVAL_PROB
    chains: int = 4
    setting: Setting = field(default_factory=Setting)
    run: Path | None = None
    engine: Engine = Engine.QUADRATURE
    tune: int = 1000
    exploration: "ExplorationRecord | None" = None

    @property
    def selection(self) -> Selection:
        """Cohorts of the table that were chosen before the page was opened."""
        return ALL_COHORTS if self.source is None else self.source.selection


def base_of_table(source: TableSource | None, model: str | None) -> Base:
    """Return the analysis of a table by a model, as `alkbayes fit` would make it by quadrature.

    Raises
    ------
    EvidenceError, SpecError, UsageError
        If the table or the model cannot be used, or do not go together.
    """
    chosen = default_model(read_evidence(source).frame) if model is None else None
    word = chosen.name if chosen is not None else str(model)
    path = model_path(word)
    base = Base(
        source,
        read_spec(path),
        path.read_bytes(),
        word,
        chosen=None if chosen is None else chosen.why,
        standard=usual_standard(model),
    )
    whole_table(base, base.spec)
    return base


def base_of_run(folder: Path, document: "RunDocument") -> Base:
    """Return the analysis of a finished run, whose document has been read and its files checked.

    Raises
    ------
    RunError, EvidenceError, SpecError
        If this version cannot read the run's model or table.
    """
    record, settings = document["evidence"], document["provenance"]["settings"]
    selection = Selection(record["where"], tuple(record["exclude"]), record["reason"])
    path = folder / "model.toml"
    base = Base(
        TableSource(folder / record["file"], record["columns"], record["sheet"], None, selection),
        read_spec(path),
        path.read_bytes(),
        str(path),
        chosen=document["chosen"],
        standard=Standard(document["standard"]),
        interval_prob=document["interval_prob"],
        chains=settings["chains"],
        setting=Setting(seed=settings["seed"], draws=settings["draws"]),
        run=folder,
        engine=Engine(document["engine"]),
        tune=tune_asked(document["provenance"]),
        exploration=document["provenance"].get("exploration"),
    )
    whole_table(base, base.spec)
    return base


def fitting_models(base: Base) -> dict[str, Spec]:
    """Return the bundled models, other than the base's, for which the table has the columns."""
    frame = whole_table(base, base.spec).frame
    usual = ORR if base.spec.outcome.usual else base.spec.outcome
    columns = {*frame.columns, *usual.columns}
    return {
        name: spec
        for name in model_names()
        if (spec := bundled(name)) != base.spec and {*spec.columns, *spec.outcome.columns} <= columns
    }


def spec_before(base: Base, setting: Setting) -> Spec:
    """Return the model of a setting before its changes."""
    return bundled(setting.model) if setting.model else base.spec


def checked_table(base: Base, spec: Spec) -> Evidence:
    """Return every cohort of the file with the counts and columns that a model reads, chosen or not.

    Raises
    ------
    EvidenceError
        If the file cannot be read for it.
    """
    source = None if base.source is None else replace(base.source, selection=ALL_COHORTS)
    return read_evidence(source, needed=spec.needed, outcome=spec.outcome)


def whole_table(base: Base, spec: Spec) -> Evidence:
    """Return the table of the base, before anything is left out on the page.

    Raises
    ------
    EvidenceError, UsageError
        If the table cannot be read for the model, or its choice of cohorts does not fit.
    """
    return chosen(checked_table(base, spec), base.selection)


def selection_of(base: Base, setting: Setting, table: Evidence) -> Selection:
    """Return the cohorts that a setting leaves, as options of a command say it; `table` is the whole one of its model.

    Raises
    ------
    UsageError
        If a setting names a cohort, a column or a level that the table has not.
    """
    names = table.frame[COHORT].tolist()
    own = not setting.model or setting.model == base.setting.model
    out = []
    for each in setting.excluded:
        if each.cohort in names:
            out.append(each.cohort)
        elif own:
            guess = near_miss(each.cohort, names)
            advice = f" Did you mean {quoted(guess)}?" if guess else ""
            raise UsageError(f"the table has no cohort {quoted(each.cohort)}.{advice}")
    conditions = [f"({base.selection.where})"] if base.selection.where and setting.dropped else []
    stated = filter_columns(table) if setting.dropped else {}
    for column, levels in setting.dropped:
        if column not in stated:
            raise UsageError(f"the table has no column {quoted(column)} to choose by.")
        if own and (unknown := [level for level in levels if level not in stated[column]]):
            raise UsageError(
                f"the column {quoted(column)} has no level {quoted(unknown[0])}; it has {', '.join(stated[column])}."
            )
        conditions.append(_condition(column, levels))
    reasons = [text for text in (base.selection.reason, setting.reason) if text]
    chosen = Selection(
        " and ".join(conditions) if setting.dropped else base.selection.where,
        tuple(dict.fromkeys((*base.selection.exclude, *out))),
        "; ".join(dict.fromkeys(reasons)),
    )
    return chosen or ALL_COHORTS


MOST_LEVELS = 12
"""Levels of a column that can be chosen by."""


def filter_columns(table: Evidence) -> dict[str, tuple[str, ...]]:
    """Return the columns of a few levels, with these in order, by which cohorts can be left out.

    Columns that a condition cannot name, such as one with a backtick, are left out, and so are those of the counts.
    """
    found = {}
    counts = {COHORT, *table.outcome.columns, *ORR.columns}
    for column in map(str, table.frame.columns):
        cells = table.frame[column].astype(str)
        levels = [cell for cell in dict.fromkeys(cells) if not is_missing(cell)]
        if column in counts or not 2 <= len(levels) <= MOST_LEVELS or len(levels) > max(2, len(cells) // 2):
            continue
        if any("`" in text for text in (column, *levels)):
            continue
        found[column] = tuple(table.outcome.declared.in_order(column, levels))
    return found


def _condition(column: str, levels: Iterable[str]) -> str:
    """Return the condition that leaves out levels of a column, in the words of `--where`."""
    plain = PLAIN_NAME.fullmatch(column) and not keyword.iskeyword(column) and not column.startswith("_")
    name = column if plain else f"`{column}`"
    values = [json.dumps(level, ensure_ascii=False) for level in levels]
    return f"{name} != {values[0]}" if len(values) == 1 else f"{name} not in [{', '.join(values)}]"


def settings_of(base: Base, setting: Setting, *, quick: bool = False) -> SamplerSettings:
    """Return the settings of the engine: those of the setting, or of a first answer."""
    draws = max(100, QUICK_DRAWS // base.chains) if quick else setting.draws
    return SamplerSettings(seed=setting.seed, chains=base.chains, draws=draws, tune=base.tune)


def is_base(base: Base, setting: Setting) -> bool:
    """Return whether a setting is the base."""
    return setting.analysis == base.setting.analysis


def changes_of(base: Base, setting: Setting, table: Evidence) -> tuple[str, ...]:
    """Return how a setting differs from the base, in words; `table` names the effects."""
    if is_base(base, setting):
        return ()
    return changes(setting, replace(base.setting, engine=base.engine), spec_before(base, setting), table=table)


@dataclass(frozen=True, slots=True)
class ModelOf:
    """The model of a setting.

    Attributes
    ----------
    spec, content
        Model, and bytes of its file.
    word
        Its name or path in a command.
    own_file
        Whether a command needs a file that has to be saved first, under that name.
    """

    spec: Spec
    content: bytes
    word: str
    own_file: bool


def model_of(base: Base, setting: Setting, table: Evidence) -> ModelOf:
    """Return the model of a setting; `table` is the whole one.

    Raises
    ------
    UsageError, SpecError
        As :func:`alkbayes.explore.edits.edited`.
    """
    before = spec_before(base, setting)
    spec = edited(before, setting, table)
    if spec is not before:
        return ModelOf(spec, model_file(spec), f"{spec.name}.toml", own_file=True)
    if setting.model:
        return ModelOf(spec, model_path(setting.model).read_bytes(), setting.model, own_file=False)
    return ModelOf(spec, base.model_bytes, base.model_word, own_file=False)
