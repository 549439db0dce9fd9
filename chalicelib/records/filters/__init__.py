"""Filters: from pages to pages, each a function of columns and rows."""
