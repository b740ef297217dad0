"""Classical pooling of response rates, from the counts alone.

Nothing here knows of a model, a sampler or a posterior: these are the numbers that a Bayesian result is held against,
and they would be worth nothing as a check if they looked at it.
"""

from alkbayes.classical.audit import Audit, audit_headline
from alkbayes.classical.glmm import GlmmFit, fit_glmm
from alkbayes.classical.intervals import IntervalMethod, proportion_interval
from alkbayes.classical.metaregression import MetaRegression, regress
from alkbayes.classical.pooled_proportion import PooledProportion
from alkbayes.classical.pooling import pool
from alkbayes.classical.pooling_methods import ALL_METHODS, DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.scales import Scale
from alkbayes.classical.small_study import SmallStudyEffect, SmallStudyTest, small_study_effects
from alkbayes.classical.subgroups import Subgroups, subgroups
from alkbayes.classical.tables import pool_table

__all__ = [
    "ALL_METHODS",
    "DEFAULT_METHODS",
    "Audit",
    "GlmmFit",
    "IntervalMethod",
    "MetaRegression",
    "PooledProportion",
    "PoolingMethod",
    "Scale",
    "SmallStudyEffect",
    "SmallStudyTest",
    "Subgroups",
    "audit_headline",
    "fit_glmm",
    "pool",
    "pool_table",
    "proportion_interval",
    "regress",
    "small_study_effects",
    "subgroups",
]
