"""The command line: one module for each command, multiruns, the search for hyperparameters."""
