"""Inference: from a design to draws of its posterior."""
