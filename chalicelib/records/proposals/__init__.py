"""Proposals: what a parser's document should say, told from samples of the objects it is for."""
