"""Decisions. No clock, no network, no Arrow: values in, values out."""
