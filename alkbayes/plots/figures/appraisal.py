"""Judgements of cohorts: traffic lights by cohort and domain, and bars of how often each judgement was made."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from alkbayes.appraisal.judgements import Appraisal, Share
from alkbayes.appraisal.tools import OVERALL, Domain
from alkbayes.plots.page.layout import MARGIN_MM, beside, cell, chunks, fitted, key_bar, wrapped
from alkbayes.plots.page.lights import draw_lights, ink_on, lights_key
from alkbayes.plots.page.rows import RowPage
from alkbayes.plots.page.style import BAND, DOUBLE_MM, INK, NO_CAPTION, SMALL_PT, TEXT_PT, Caption, Look, styled
from alkbayes.presentation.appraisal import PEOPLES, REPORTED
from alkbayes.text.names import plain
from alkbayes.text.wording import counted, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_MM = 3.1
LIGHT_MM = 2.6
SYMBOL_PT = 5.2
COLUMN_MM = 9.0
"""Width of a domain's column."""
NARROWEST_MM = 6.0
NAME_MM = 64.0
"""Width of the cohorts' names, where there is room."""

BAR_MM = 6.4
LABEL_MM = 68.0
BARS_MM = ((73.0, 121.0), (128.0, 176.0))
"""Places of the bars by cohorts, and by patients."""
LEAST_SYMBOL = 0.06
LEAST_NUMBER = 0.16
"""Shares from which a bar has room for its symbol, and for its percentage too."""


@styled
def traffic_lights(appraisal: Appraisal, labels: Sequence[str], caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw the judgements of every cohort, two columns wide (180 mm), on as many pages as needed.

    Parameters
    ----------
    appraisal
        The judgements, k cohorts by domains.
    labels
        What the cohorts are called, length k.
    caption
        Footnotes and warning.

    Notes
    -----
    Symbols and the marks of ROBINS-I follow robvis (McGuinness & Higgins 2021, doi:10.1002/jrsm.1411).
    """
    width = min(COLUMN_MM, max(NARROWEST_MM, (DOUBLE_MM - NAME_MM - 2 * MARGIN_MM) / len(appraisal.domains)))
    first = MARGIN_MM + NAME_MM + width / 2
    at = [first + place * width for place in range(len(appraisal.domains))]
    page = RowPage(
        _title(appraisal),
        replace(caption, notes=(*_notes(appraisal), *caption.notes)),
        (
            (MARGIN_MM, "left", ("", "Cohort")),
            *(
                (x, "center", ("", appraisal.tool.short(domain)))
                for x, domain in zip(at, appraisal.domains, strict=True)
            ),
        ),
        partial(lights_key, appraisal),
    )
    pages = chunks(list(range(len(labels))), int(page.room / ROW_MM))
    figures = []
    for number, places in enumerate(pages, 1):
        body = len(places) * ROW_MM
        figure = page.figure(body, number=number, of=len(pages))
        axes = page.axes(figure, (MARGIN_MM, DOUBLE_MM - MARGIN_MM), body, len(places))
        axes.axis("off")
        for x, domain in zip(at, appraisal.domains, strict=True):
            if domain.name == OVERALL:
                axes.add_patch(_band(axes, x - width / 2, width, len(places)))
        for row, place in enumerate(places):
            cell(axes, MARGIN_MM, row + 0.5, fitted(labels[place], NAME_MM - 2.0), ha="left")
        rows = [(row + 0.5, appraisal.cells[place]) for row, place in enumerate(places)]
        draw_lights(axes, at, rows, size=LIGHT_MM, symbol=SYMBOL_PT)
        figures.append(figure)
    return figures


@styled
def summary_bars(appraisal: Appraisal, caption: Caption = NO_CAPTION) -> list[Figure]:
    """Draw of every domain the share of each judgement, of cohorts and of their patients, two columns wide (180 mm)."""
    units = caption.outcome.units
    lines = [counted(len(appraisal.cohorts), "cohort"), f"{sum(appraisal.patients):,} {units}"]
    page = RowPage(
        f"{_title(appraisal)}: shares",
        replace(caption, notes=(*_notes(appraisal, domains=False), *caption.notes)),
        (
            (MARGIN_MM, "left", ("", "Domain")),
            *(
                (left, "left", (f"share of {whose}, %", f"({what})"))
                for (left, _), whose, what in zip(BARS_MM, ("cohorts", units), lines, strict=True)
            ),
        ),
        lambda: lights_key(appraisal, key_bar(half_height=0.8, facecolor="white", edgecolor=INK, hatch="//////")),
    )
    body = len(appraisal.domains) * BAR_MM
    figure = page.figure(body)
    for (left, right), whose in zip(BARS_MM, ("cohorts", "patients"), strict=True):
        axes = page.axes(figure, (left, right), body, len(appraisal.domains))
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        for row, domain in enumerate(appraisal.domains):
            _draw_shares(axes, row + 0.5, appraisal.shares(domain), whose)
            if whose == "cohorts":
                _write_domain(axes, row + 0.5, domain)
    return [figure]


def _title(appraisal: Appraisal) -> str:
    title = appraisal.tool.title
    return f"Risk of bias, judged by {title}" if appraisal.tool.prefix else title


def _notes(appraisal: Appraisal, *, domains: bool = True) -> list[str]:
    """Return the meaning of the headings, whose judgements these are, and the tool's source."""
    tool = appraisal.tool
    whose = [PEOPLES, f"Tool: {tool.citation}."] if tool.prefix else [REPORTED]
    return [*filter(None, [appraisal.meanings if domains else ""]), " ".join(whose)]


def _band(axes: "Axes", x: float, width: float, rows: int) -> Rectangle:
    """Return the ground under the overall judgements."""
    return Rectangle(
        (x, 0), width, rows, transform=beside(axes), clip_on=False, facecolor=BAND, edgecolor="none", zorder=0
    )


def _write_domain(axes: "Axes", y: float, domain: Domain) -> None:
    bold = {"weight": "bold"} if domain.name == OVERALL else {}
    lines = wrapped(domain.label, LABEL_MM)
    for place, line in enumerate(lines):
        offset = (place - (len(lines) - 1) / 2) * 0.36
        cell(axes, MARGIN_MM, y + offset, line, ha="left", fontsize=SMALL_PT, **bold)


def _draw_shares(axes: "Axes", y: float, shares: Sequence[Share], whose: str) -> None:
    """Draw one domain's judgements as a stacked bar; empty cells are hatched."""
    total = sum(getattr(share, whose) for share in shares)
    left = 0.0
    for share in shares:
        width = getattr(share, whose) / total
        if not width:
            continue
        judged = share.judgement
        look: Look = {"color": "white", "hatch": "////"} if judged is None else {"color": judged.colour}
        gid = f"share-{'none' if judged is None else plain(judged.label)}"
        axes.barh(y, width, left=left, height=0.62, edgecolor=INK, linewidth=0.4, gid=gid, **look)
        symbol = "" if judged is None else judged.symbol
        text = f"{symbol}  {percent(width, 0)} %".strip() if width >= LEAST_NUMBER else symbol
        if text and width >= LEAST_SYMBOL:
            axes.text(
                left + width / 2,
                y,
                text,
                ha="center",
                va="center_baseline",
                fontsize=TEXT_PT - 0.5,
                color=INK if judged is None else ink_on(judged.colour),
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6} if judged is None else None,
            )
        left += width
