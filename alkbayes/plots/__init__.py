"""Figures for print, drawn from precomputed tables."""
