"""Classical pooling of response rates, from the counts alone.

Nothing here knows of a model, a sampler or a posterior: these are the numbers that a Bayesian result is held against,
and they would be worth nothing as a check if they looked at it.
"""

from alkbayes.classical.audit import Audit, audit_headline
from alkbayes.classical.beta_binomial import BetaBinomialFit, fit_beta_binomial
from alkbayes.classical.cluster_robust import RobustFit, cluster_robust
from alkbayes.classical.disagreements import disagreements
from alkbayes.classical.glmm import GlmmFit, LikelihoodRatio, fit_glmm, likelihood_ratio
from alkbayes.classical.influence import Influence, influence
from alkbayes.classical.intervals import IntervalMethod, proportion_interval
from alkbayes.classical.leave_one_out import LeftOut, glmm_leave_one_out, leave_one_out
from alkbayes.classical.metaregression import MetaRegression, regress
from alkbayes.classical.multilevel import MultilevelFit, fit_multilevel
from alkbayes.classical.pooled_proportion import PooledProportion
from alkbayes.classical.pooling import pool
from alkbayes.classical.pooling_methods import ALL_METHODS, DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.profile import ProfileIntervals, profile_intervals
from alkbayes.classical.regression import RegressionFit, fit_regression
from alkbayes.classical.scales import Effects, Scale, effects
from alkbayes.classical.small_study import SmallStudyEffect, SmallStudyTest, small_study_effects
from alkbayes.classical.subgroups import Subgroups, subgroups
from alkbayes.classical.tables import pool_table
from alkbayes.classical.tau2 import Tau2Estimator, estimate_tau2, tau2_q_profile

__all__ = [
    "ALL_METHODS",
    "DEFAULT_METHODS",
    "Audit",
    "BetaBinomialFit",
    "Effects",
    "GlmmFit",
    "Influence",
    "IntervalMethod",
    "LeftOut",
    "LikelihoodRatio",
    "MetaRegression",
    "MultilevelFit",
    "PooledProportion",
    "PoolingMethod",
    "ProfileIntervals",
    "RegressionFit",
    "RobustFit",
    "Scale",
    "SmallStudyEffect",
    "SmallStudyTest",
    "Subgroups",
    "Tau2Estimator",
    "audit_headline",
    "cluster_robust",
    "disagreements",
    "effects",
    "estimate_tau2",
    "fit_beta_binomial",
    "fit_glmm",
    "fit_multilevel",
    "fit_regression",
    "glmm_leave_one_out",
    "influence",
    "leave_one_out",
    "likelihood_ratio",
    "pool",
    "pool_table",
    "profile_intervals",
    "proportion_interval",
    "regress",
    "small_study_effects",
    "subgroups",
    "tau2_q_profile",
]
