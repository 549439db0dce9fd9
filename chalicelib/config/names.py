"""Names: of pipelines, connections and owners; and of databases and tables, as Glue and Athena both take them."""

import re
import unicodedata

NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"  # of a pipeline, a connection, an owner
LONGEST = 255  # characters; Glue takes no more
_PLAIN = re.compile(r"[a-z0-9_]+")
_OTHER = re.compile(r"[^a-z0-9_]+")


def plain(text: str) -> str:
    """The name that is made of a text where a name may be written freely (F80).

    Letters become lower case and lose their accents; every run of other characters becomes one `_`, and none at the
    ends; 255 characters stay. What is a name already stays as it is. Empty if the text has no letter or digit of a
    name; two texts may end as the same name.
    """
    letters = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    words = [word for word in _OTHER.split(letters.lower()) if word]
    return "_".join(words)[:LONGEST]


def checked(name: str) -> str:
    """The name itself; raises ValueError, with one that would do, where it is none (F80)."""
    if len(name) <= LONGEST and _PLAIN.fullmatch(name):
        return name
    why = f"has more than {LONGEST} characters" if _PLAIN.fullmatch(name) else "is not made of a-z, 0-9 and _"
    near = plain(name)
    raise ValueError(f"{name!r} {why}; {f'{near} would do' if near else 'choose another name'}")
