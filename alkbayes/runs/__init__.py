"""Run folders, and analyses kept beside a run."""
