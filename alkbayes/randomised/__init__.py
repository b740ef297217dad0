"""Network meta-analysis of randomised trials: what treatments do within trials, beside what single arms suggest."""
