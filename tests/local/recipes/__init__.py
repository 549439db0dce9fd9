"""Each recipe of `tidegate policy` on the embedded AWS: what is printed is pasted, and taken away piece by piece."""
