"""Further analyses of the review: PFS, intracranial response, sequencing, resistance."""
