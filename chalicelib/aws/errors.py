"""What AWS says, as our errors: what everything that calls AWS wraps its calls in. The table is aws.refusals.

Retrying is not decided here: botocore and obstore have retried already when an error arrives, and the queue delivers
a TransientError once more.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, HTTPClientError

from chalicelib.aws.refusals import CASES, UNREACHABLE, Case, case_of, case_of_botocore
from chalicelib.errors import TidegateError

ANSWERS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})  # results to a store

_QUOTED = 300  # characters of AWS's own words that are repeated
_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Calls to AWS whose errors leave as ours, with `where` in front.

    The answers to conditional writes (ANSWERS) pass untouched: a store expects them.
    """
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ANSWERS:
            raise
        # Without its cause: a traceback would show AWS's words, and those may repeat the signed request, token and all.
        raise from_client_error(error, where) from None
    except BotoCoreError as error:
        words = words_of(error)
        raise _speak(case_of_botocore(error), where, type(error).__name__, words) from (error if words else None)


def words_of(error: BotoCoreError) -> str:
    """What an error of botocore says; nothing of one that wraps any other, since those may repeat headers and keys."""
    return "" if type(error) is HTTPClientError or isinstance(error, CredentialRetrievalError) else str(error)


def error_for(code: str, where: str, message: str = "") -> TidegateError:
    """Our error for one of AWS's codes, where we found out without AWS saying so."""
    return _speak(CASES[code], where, code, message)


def from_client_error(error: ClientError, where: str) -> TidegateError:
    """Our error for a refusal that AWS sent."""
    said = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    region = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region") or str(said.get("Region") or "")
    code, status = str(said.get("Code", "")), int(meta.get("HTTPStatusCode") or 0)
    return _error(where, error.operation_name, code, status, str(said.get("Message", "")), region)


def from_obstore(error: Exception, where: str) -> TidegateError:
    """Our error for a failed GET by obstore, which gives S3's XML answer within its text and nothing else."""
    text = str(error).partition("\n\nDebug source:")[0]
    status = _found(r"status code: (\d{3})", text) or ("301" if "redirect without LOCATION" in text else "")
    code, region = _found(r"<Code>([\w.]+)</Code>", text), _found(r"<Region>([\w-]+)</Region>", text)
    if not status:
        return _speak(UNREACHABLE, where, type(error).__name__, text.rpartition(" - ")[2])
    return _error(
        where, "GetObject", code or status, int(status), _found(r"(?s)<Message>(.*?)</Message>", text), region
    )


def _error(where: str, operation: str, code: str, status: int, message: str, region: str) -> TidegateError:
    case = case_of(operation, code, status, message)
    return _speak(case, where, code or str(status), message, region=region or "its own")


def _speak(case: Case, where: str, code: str, message: str, *, region: str = "") -> TidegateError:
    words = message.strip().partition("\n")[0][:_QUOTED].rstrip(".")
    quoted = f"{code}: {_KEY_ID.sub('<access key>', words)}" if words and case.quotes else code
    return case.raises(f"{case.what} ({quoted})", where=where, remedy=case.remedy.format(region=region))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
