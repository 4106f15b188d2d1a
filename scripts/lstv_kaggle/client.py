"""The Kaggle service: from a file's name to a link in its storage, by way of the official client's library."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from lstv import __version__
from lstv.base.errors import UserError
from lstv_kaggle import credentials as credential_store
from lstv_kaggle.credentials import Credentials, CredentialsError
from lstv_kaggle.retry import BUSY, Pacer, Policy
from lstv_kaggle.sources import DATA_PAGE, DATASET_PAGE, RULES_PAGE, SETTINGS_PAGE

PINNED = "kaggle==2.2.4"

_UNREACHABLE_TRIES = 3
"""Tries of a service that has not answered once: its absence is seldom a matter of minutes."""


@dataclass(frozen=True)
class Link:
    """A file in the storage. The address is signed, so it is as secret as a password for as long as it lives."""

    url: str = field(repr=False)
    size: int
    etag: str | None
    ranges: bool
    md5: str | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "the storage"


class Service:
    """Asks the service for links. One object for each thread that asks; ``credentials`` None asks anonymously."""

    def __init__(self, credentials: Credentials | None, policy: Policy, pacer: Pacer) -> None:
        self._credentials, self._policy, self._pacer = credentials, policy, pacer

    def dataset_file(self, owner: str, dataset: str, name: str) -> Link:
        """Link of one file of a dataset. Raises UserError with one sentence for every way in which this fails."""
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug, request.file_name = owner, dataset, name
        what = f"{name} of the dataset {owner}/{dataset}"
        return self._link(what, lambda client: client.datasets.dataset_api_client.download_dataset(request), False)

    def competition_file(self, competition: str, name: str) -> Link:
        """Link of one file of a competition's data."""
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFileRequest

        request = ApiDownloadDataFileRequest()
        request.competition_name, request.file_name = competition, name
        what = f"{name} of the competition {competition}"
        return self._link(
            what, lambda client: client.competitions.competition_api_client.download_data_file(request), True
        )

    def competition_archive(self, competition: str) -> Link:
        """Link of the archive that holds all data of a competition."""
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = competition
        what = f"the archive of the competition {competition}"
        return self._link(
            what, lambda client: client.competitions.competition_api_client.download_data_files(request), True
        )

    def _link(self, what: str, call: Callable, competition: bool) -> Link:
        if competition and self._credentials is None:
            raise CredentialsError(f"{credential_store.MISSING}.")
        self._log_in()
        response = self._attempt(what, call, competition)
        with response:
            return _link_of(what, response)

    def _log_in(self) -> None:
        """Exchange a browser login for an access token; the client's own way would write it into HOME."""
        if self._credentials is None or self._credentials.refresh_token is None:
            return
        from kagglesdk.users.types.account_service import ApiVersion, GenerateAccessTokenRequest

        request = GenerateAccessTokenRequest()
        request.refresh_token = self._credentials.refresh_token
        request.api_version = ApiVersion.API_VERSION_V1
        answer = self._attempt(
            "the login", lambda client: client.users.account_client.generate_access_token(request), False
        )
        self._credentials = Credentials(self._credentials.origin, token=answer.token)

    def _attempt(self, what: str, call: Callable[[Any], Any], competition: bool) -> Any:
        attempt = 0
        while True:
            attempt += 1
            self._pacer.wait()
            try:
                with self._client() as client:
                    return call(client)
            except requests.exceptions.HTTPError as error:
                response = error.response
                status = _status(response)
                from_storage = bool(response.history)
                if not from_storage and status not in BUSY:
                    raise self._refusal(what, status, str(error), competition) from None
                reason, headers = f"{what}: status {status}", response.headers
            except requests.exceptions.SSLError:
                raise UserError(
                    f"the certificate of Kaggle's server could not be verified when asking for {what}; if your network has "
                    "its own certificate authority, set REQUESTS_CA_BUNDLE to its file."
                ) from None
            except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
                if attempt >= min(self._policy.retries, _UNREACHABLE_TRIES):
                    raise UserError(
                        f"Kaggle cannot be reached when asking for {what}; check the network, set https_proxy if there is a "
                        "proxy, or run this step on a machine with internet access."
                    ) from None
                reason, headers = f"{what}: no connection", {}
            except requests.exceptions.RequestException as error:
                reason, headers = f"{what}: unreadable answer ({type(error).__name__})", {}
            if attempt > self._policy.retries:
                raise UserError(
                    f"Kaggle does not give {what} now ({reason.rpartition(': ')[2]} after {attempt} tries); what was "
                    "fetched is kept: run again later."
                )
            self._pacer.pause(attempt, reason, headers)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from kagglesdk import KaggleClient
            from kagglesdk.kaggle_env import get_env
        except ImportError as error:
            raise UserError(
                f"the Kaggle client is not installed ({error}); install it with: pip install {PINNED}."
            ) from None
        try:
            environment = get_env()
        except Exception as error:  # the library raises Exception itself for a name it does not know
            raise UserError(f"{error}; unset KAGGLE_API_ENVIRONMENT.") from None
        known = self._credentials or Credentials("none")
        with KaggleClient(
            env=environment,
            username=known.username,
            password=known.key,
            api_token=known.token,
            user_agent=f"lstv-uncertainty/{__version__}",
        ) as client:
            # The library sets no time limit of its own. One byte is asked for, so that the answer tells size and
            # identity of the file without the beginning of a large archive being sent in vain.
            session = client.http_client()._session
            session.mount("http://", _TimedAdapter(self._policy.timeout))
            session.mount("https://", _TimedAdapter(self._policy.timeout))
            session.headers.update({"Range": "bytes=0-0", "Accept-Encoding": "identity"})
            yield client

    def _refusal(self, what: str, status: int, message: str, competition: bool) -> UserError:
        said = self._said(message)
        page = DATA_PAGE if competition else DATASET_PAGE
        if status == 401 or (status == 403 and self._credentials is None):
            if self._credentials is None:
                return CredentialsError(f"Kaggle does not give {what} without a login: {credential_store.MISSING}.")
            return CredentialsError(
                f"Kaggle refuses the credentials from {self._credentials.origin} (401); make a new API token at "
                f"{SETTINGS_PAGE} and replace them."
            )
        if status == 403 and competition:
            return UserError(
                f"Kaggle refuses {what} (403{said}); accept the competition's rules at {RULES_PAGE} with the same account, "
                "then run again."
            )
        if status == 403:
            return UserError(f"Kaggle refuses {what} (403{said}); see at {page} whether it is still public.")
        if status == 404:
            return UserError(
                f"Kaggle does not have {what} (404{said}): it was renamed or withdrawn; look for it at {page} and put the "
                "file in place by hand."
            )
        return UserError(
            f"Kaggle answers {status} when asked for {what}{said}; update the client ({PINNED} is known to work)."
        )

    def _said(self, message: str) -> str:
        text = " ".join(message.split())
        if self._credentials is not None:
            text = self._credentials.redact(text)
        text = text[:160]  # after that: half a credential would not be known for one
        # requests' own text for a status without a message repeats the address, which may be signed
        return "" if not text or "://" in text else f": {text.rstrip('.')}"


class _TimedAdapter(HTTPAdapter):
    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._timeout = timeout

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        return super().send(request, stream, timeout or self._timeout, verify, cert, proxies)


def _status(response: requests.Response) -> int:
    """The status; where an error is sent as a success with a code in its JSON body, that code."""
    if response.status_code >= 400:
        return response.status_code
    try:
        return int(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return response.status_code


def _link_of(what: str, response: requests.Response) -> Link:
    if not response.history:
        raise UserError(
            f"something between here and Kaggle answered instead of it when asked for {what} (no redirect to a storage); "
            "log in to the network or correct the proxy, then run again."
        )
    if urlsplit(response.history[0].url).scheme == "https" and urlsplit(response.url).scheme != "https":
        raise UserError(
            f"Kaggle's answer for {what} leads to an unencrypted address, which is not followed; run again later."
        )
    size = content_range(response.headers.get("Content-Range"))[2] if response.status_code == 206 else None
    if size is None:
        length = response.headers.get("Content-Length", "")
        size = int(length) if response.status_code == 200 and length.isdigit() else None
    if size is None:
        raise UserError(
            f"the storage does not say how large {what} is, so its completeness could not be checked; run again later."
        )
    return Link(
        url=response.url,
        size=size,
        etag=response.headers.get("ETag"),
        ranges=response.status_code == 206,
        md5=_md5(response.headers.get("x-goog-hash", "")),
    )


def content_range(value: str | None) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte and size of a Content-Range header (RFC 9110, 14.4); None for each where it is not readable."""
    unit, _, rest = (value or "").strip().partition(" ")
    span, _, size = rest.partition("/")
    first, _, last = span.partition("-")
    if unit != "bytes" or not (first.isdigit() and last.isdigit() and size.isdigit()):
        return None, None, None
    return int(first), int(last), int(size)


def _md5(header: str) -> str | None:
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            try:
                return base64.b64decode(value, validate=True).hex()
            except binascii.Error:
                return None
    return None
