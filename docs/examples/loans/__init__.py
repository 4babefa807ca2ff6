"""A Django app: somebody asks for a loan, is verified, and hears the decision."""
