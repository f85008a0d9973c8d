"""What came out of the bench: measures, tables, reports, and what is shipped with a model."""
