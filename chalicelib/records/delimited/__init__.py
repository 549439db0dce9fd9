"""Delimited text: what the formats csv and tsv are made of."""
