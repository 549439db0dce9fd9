"""Everything that talks to AWS: the stores of our own account, and the way into the customers'."""
