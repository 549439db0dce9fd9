"""Where rows go: files are staged by the door that loads, and made to count by the door that commits."""
