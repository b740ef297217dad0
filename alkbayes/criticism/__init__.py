"""Model criticism: diagnostics, predictive checks, leave-one-out, outliers, model comparison."""
