"""Digest: columns whose values are told apart but not read (F75)."""

import hashlib
import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.config.spec import Spec

_REFERENCE = re.compile(r"\$\{secret:([A-Za-z0-9/_+=.@-]{1,200})\}")


class Digested(Spec):
    """A column, and how it is hashed."""

    name: str = Field(min_length=1, description="The column to hash.")
    algorithm: str = Field(
        "SHA-256", description="Any of hashlib's as Java or OpenSSL spell it: MD5, SHA3-256; with a key: HmacSHA256."
    )
    secret_key: str | None = Field(
        None, description="Of an Hmac: ${secret:NAME}, the secret `tidegate/NAME` in Secrets Manager."
    )
    new_name: str | None = Field(None, min_length=1, description="Of the column with the digests (E44).")
    keep: bool = Field(False, description="true: the original stays, and the digests come last under new_name (E44).")

    @field_validator("secret_key", mode="before")
    @classmethod
    def _is_a_reference(cls, key: Any) -> Any:
        """A literal secret would be shown with the document to everybody (P9), so it is not even repeated here."""
        if isinstance(key, dict) and list(key) == ["secret"]:
            key = f"${{secret:{key['secret']}}}"
        if key is not None and not (isinstance(key, str) and _REFERENCE.fullmatch(key)):
            raise ValueError(
                "a secret does not belong in a document; put it into Secrets Manager as tidegate/NAME "
                "and write ${secret:NAME}"
            )
        return key

    @model_validator(mode="after")
    def _means_something(self) -> "Digested":
        if self.keyed and self.secret_key is None:
            raise ValueError(f"{self.algorithm} needs secret_key: ${{secret:NAME}}")
        if not self.keyed and self.secret_key is not None:
            raise ValueError(f"{self.algorithm} takes no secret_key; did you mean Hmac{self.hash.upper()}?")
        if self.keep and self.new_name in (None, self.name):
            raise ValueError("keep needs a new_name for the digests")
        if self.hash not in known():
            raise ValueError(f"{self.algorithm!r} is not a digest; known are {', '.join(sorted(known()))}")
        return self

    @property
    def keyed(self) -> bool:
        """True if the digest depends on a secret."""
        return self.algorithm.lower().startswith("hmac")

    @property
    def hash(self) -> str:
        """The algorithm's name for hashlib, as far as it is one."""
        bare = re.sub(r"^hmac[-_]?", "", self.algorithm.lower())
        bare = (
            bare.replace("-", "").replace("/", "_") if not bare.startswith("sha3") else "sha3_" + bare[4:].lstrip("-_")
        )
        return {"sha": "sha1"}.get(bare, bare)

    @property
    def secret(self) -> str | None:
        """The secret's name."""
        match = _REFERENCE.fullmatch(self.secret_key or "")
        return match[1] if match else None


class Digest(Spec):
    """Digests instead of values, in lower-case hexadecimal; NULL stays NULL (F75).

    What is hashed is the value's text in UTF-8: 1 and 1.0 differ, as do a long 1 and a double 1 (E44).
    """

    type: Literal["digest"]
    columns: tuple[Digested, ...] = Field(min_length=1, description="The columns to hash.")


class EmbulkHash(Spec):
    """The same under the name that Embulk has for it (F75)."""

    type: Literal["hash"]
    columns: tuple[Digested, ...] = Field(min_length=1, description="The columns to hash.")


def known() -> frozenset[str]:
    """The digests of one length that this Python has."""
    names = {"sha512_224", "sha512_256", "ripemd160", "sm3"} & hashlib.algorithms_available
    return frozenset(names | {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")})
