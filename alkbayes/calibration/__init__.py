"""Simulation-based calibration and coverage studies."""
