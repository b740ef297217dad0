"""Bayesian meta-analysis of objective response rates in ALK-positive lung cancer."""

from importlib.metadata import version

__version__ = version("alkbayes")
