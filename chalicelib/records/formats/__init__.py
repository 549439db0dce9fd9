"""One module a format; none knows another."""
