"""`python -m lab sweep`: a search for better parameters. Each trial is an experiment of DVC's, and nothing is lost."""
