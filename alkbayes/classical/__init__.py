"""Classical pooling of response rates, from the counts alone.

No module here imports a model, a sampler or a posterior: as a check on a Bayesian result these estimates must be
independent of it.
"""

from alkbayes.classical.influence.diagnostics import Influence, influence
from alkbayes.classical.influence.leave_one_out import LeftOut, glmm_leave_one_out, leave_one_out
from alkbayes.classical.inverse_variance.cluster_robust import RobustFit, cluster_robust
from alkbayes.classical.inverse_variance.regression import RegressionFit, fit_regression
from alkbayes.classical.inverse_variance.tau2 import Tau2Estimator, estimate_tau2, tau2_q_profile
from alkbayes.classical.maximum_likelihood.beta_binomial import BetaBinomialFit, fit_beta_binomial
from alkbayes.classical.maximum_likelihood.glmm import GlmmFit, LikelihoodRatio, fit_glmm, likelihood_ratio
from alkbayes.classical.maximum_likelihood.multilevel import MultilevelFit, fit_multilevel
from alkbayes.classical.maximum_likelihood.profile import ProfileIntervals, profile_intervals
from alkbayes.classical.moderators.regression import MetaRegression, regress
from alkbayes.classical.moderators.small_study import SmallStudyEffect, SmallStudyTest, small_study_effects
from alkbayes.classical.moderators.subgroups import Subgroups, subgroups
from alkbayes.classical.pooling.disagreements import disagreements
from alkbayes.classical.pooling.methods import ALL_METHODS, DEFAULT_METHODS, PoolingMethod
from alkbayes.classical.pooling.pool import pool
from alkbayes.classical.pooling.result import PooledProportion
from alkbayes.classical.pooling.tables import pool_table
from alkbayes.classical.proportions import IntervalMethod, proportion_interval
from alkbayes.classical.published.audit import Audit, audit_headline
from alkbayes.classical.scales import Effects, Scale, effects

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
