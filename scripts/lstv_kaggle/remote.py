"""A file in the storage, read in ranges that survive cut connections, rate limits and expired links."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import requests

from lstv.base.errors import UserError
from lstv_kaggle.client import Link, content_range
from lstv_kaggle.retry import BUSY, Pacer, Policy, Stopped

_CHUNK = 1 << 15
"""Bytes of a chunk; of a cut connection at most this much is lost."""

_PROGRESS = 1 << 16
"""Bytes that count as progress, after which the tries are counted anew."""

_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""Statuses with which a storage answers a signed link that is no longer valid."""


class RemoteFile:
    """A remote file of known size. Its link is renewed when it expires; size and ETag must stay the same.

    Args:
        what: its name in messages.
        source: gives a fresh link.
        policy, pacer: how requests are repeated; the pacer is shared by all threads.
    """

    def __init__(self, what: str, source: Callable[[], Link], policy: Policy, pacer: Pacer) -> None:
        self.what = what
        self._source, self._policy, self._pacer = source, policy, pacer
        self._renewal, self._lock = threading.Lock(), threading.Lock()
        self._local = threading.local()
        self._received = 0
        self._link = source()

    @property
    def received(self) -> int:
        """Bytes that ``read`` and ``stream`` transferred so far."""
        return self._received

    @property
    def size(self) -> int:
        return self._link.size

    @property
    def etag(self) -> str | None:
        return self._link.etag

    @property
    def retries(self) -> int:
        """Tries without progress before giving up."""
        return self._policy.retries

    @property
    def ranges(self) -> bool:
        """Whether the storage gives parts of the file."""
        return self._link.ranges

    @property
    def md5(self) -> str | None:
        return self._link.md5

    def read(self, start: int, stop: int) -> bytes:
        """Bytes [start, stop)."""
        return b"".join(self.stream(start, stop))

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes [start, stop) in chunks; goes on where a connection was cut.

        Raises UserError when the tries are used up, when the file changes meanwhile, or when the storage gives no parts;
        then, if the connection was cut, NotContinued.
        """
        position, attempt = start, 0
        while position < stop:
            self._pacer.wait()
            link, gained = self._link, 0
            headers: Mapping[str, str] = {}
            try:
                with self._request(link, position, stop) as response:
                    reason = self._obstacle(response, link, position, stop)
                    headers = response.headers
                    if reason is None:
                        for chunk in response.iter_content(_CHUNK):
                            if self._pacer.stopped:
                                raise Stopped
                            chunk = chunk[: stop - position]
                            position += len(chunk)
                            gained += len(chunk)
                            with self._lock:
                                self._received += len(chunk)
                            yield chunk
                        headers = {}
                        reason = f"{self.what}: the transfer broke off"
            except requests.exceptions.SSLError:
                raise UserError(
                    f"the certificate of {link.host} could not be verified; if your network has its own certificate "
                    "authority, set REQUESTS_CA_BUNDLE to its file."
                ) from None
            except requests.exceptions.RequestException as error:
                reason = f"{self.what}: the connection broke off ({type(error).__name__})"
            if position >= stop:
                return
            attempt = 1 if gained >= _PROGRESS else attempt + 1
            if attempt > self._policy.retries:
                raise UserError(
                    f"{reason} after {attempt} tries without progress (host {link.host}); what was fetched is kept: run "
                    "again to continue."
                )
            self._pacer.pause(attempt, reason, headers)
            if position > start and not link.ranges:
                raise NotContinued(
                    f"{reason}, and the storage gives no parts, so it could not be continued; run again: it starts from the "
                    "beginning."
                )

    def _request(self, link: Link, position: int, stop: int) -> requests.Response:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        headers = {"Accept-Encoding": "identity"}
        if link.ranges:
            headers["Range"] = f"bytes={position}-{stop - 1}"
        elif position > 0 or stop < link.size:
            raise NoRanges(f"the storage gives {self.what} only as a whole, not in parts.")
        return self._local.session.get(link.url, headers=headers, stream=True, timeout=self._policy.timeout)

    def _obstacle(self, response: requests.Response, link: Link, position: int, stop: int) -> str | None:
        """None if the response is the wanted bytes, the reason to try again if that may help; else raises UserError."""
        status = response.status_code
        if status in BUSY:
            return f"{self.what}: status {status}"
        if status in _EXPIRED:
            self._renew(link)
            return f"{self.what}: the link was not valid any more (status {status})"
        if status == 206:
            first, last, size = content_range(response.headers.get("Content-Range"))
            if size is not None and size != link.size:
                raise self._changed()
            if (first, last) != (position, stop - 1):
                return f"{self.what}: other bytes came than were asked for"
        elif status == 200:
            if position > 0 or stop < link.size:
                raise NoRanges(f"the storage gives {self.what} only as a whole, not in parts.")
            if response.headers.get("Content-Length", str(link.size)) != str(link.size):
                raise self._changed()
        elif status == 416:
            raise self._changed()
        else:
            raise UserError(f"{link.host} answers {status} for {self.what}; run again later, what was fetched is kept.")
        if link.etag and response.headers.get("ETag", link.etag) != link.etag:
            raise self._changed()
        return None

    def _renew(self, used: Link) -> None:
        with self._renewal:
            if self._link is not used:
                return
            fresh = self._source()
            if (fresh.size, fresh.etag) != (used.size, used.etag):
                raise self._changed()
            self._link = fresh

    def _changed(self) -> UserError:
        return UserError(
            f"{self.what} changed on the server during the transfer; run again to start from its new version."
        )


class NotContinued(UserError):
    """A transfer was cut, and the storage does not give the rest alone."""


class NoRanges(UserError):
    """The storage does not give parts of a file."""
