"""Figures for print, drawn from tables that were computed elsewhere."""
