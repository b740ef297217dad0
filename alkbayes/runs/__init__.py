"""Run folders, and analyses stored beside a run."""
