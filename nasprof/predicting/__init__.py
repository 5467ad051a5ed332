"""Fitting cost predictors from the store and from tables, keeping them in files, asking them."""
