"""What predictors should know of a space beyond its genes; one file a space, named like it."""
