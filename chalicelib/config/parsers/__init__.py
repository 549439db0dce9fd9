"""Parsers: how the bytes are laid out, one format a file."""
