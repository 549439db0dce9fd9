"""Builds what is deployed: `python -m scripts.package --stage dev` leaves `build/dev/{deployment.zip,sam.json}`.

Read `__main__` for the order of things, `gate` for what may not leave the house. The functions run on
Python 3.13 on x86_64, whatever runs this: wheels are chosen by platform, nothing is compiled from source.
"""

RUNTIME = "3.13"
"""The functions' Python; `.chalice/resources.json` names it too, and a test compares them."""


class PackageError(Exception):
    """The package cannot be built, or must not be shipped; the message says what to do."""
