"""Any family and link, normal or Student t deviations."""
