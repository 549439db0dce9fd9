"""Secrets for tests to hand to Tidegate. tests/leaks.py fails whatever test lets one out: each has the mark in it."""

MARK = "planted"
ACCESS_KEY_ID = "AKIAEXAMPLEEXAMPLE12"  # no secret, and only ever shown masked
SECRET_ACCESS_KEY = "wJalr/planted+secret/bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "IQoJb3//planted+token==" + "x" * 200
PROXY_PASSWORD = "planted:proxy@password/ +%"
PEPPER = "planted pepper of a digest"
CATALOGUE_SECRET = "planted-secret-of-a-catalogue"
