"""Iceberg tables: what is committed to them, what is read, and what keeps them healthy."""
