"""What a reader may choose of a figure. No heavy imports: the command's help names the choices."""

from dataclasses import dataclass

CHOICES = ("title", "xlim", "reference", "sort", "columns", "by", "by_trial", "method", "moderator", "risk_of_bias")


@dataclass(frozen=True, slots=True)
class View:
    """Choices for a figure; each has a default.

    Attributes
    ----------
    title
        Title; empty: the figure's own.
    xlim
        Limits of the axis of rates, in percent. Default: those of the data.
    reference
        Rate at which to draw a line, in percent.
    sort
        Column of the table to sort the cohorts of a group by; None: the highest observed rate first.
    columns
        Further columns of the table beside the cohorts' names, two at most.
    by
        Column of subgroups, or of the order in which cohorts are added.
    by_trial
        Whether whole trials are left out instead of cohorts.
    method
        Method of classical pooling; empty: the default of `pool`, or of `leave-one-out` the model.
    moderator
        Moderator of a bubble plot; None: each numeric one.
    risk_of_bias
        Whether the judgements of the risk of bias stand beside the cohorts.
    """

    title: str = ""
    xlim: tuple[float, float] | None = None
    reference: float | None = None
    sort: str | None = None
    columns: tuple[str, ...] = ()
    by: str | None = None
    by_trial: bool = False
    method: str = ""
    moderator: str | None = None
    risk_of_bias: bool = False


AS_IT_IS = View()
