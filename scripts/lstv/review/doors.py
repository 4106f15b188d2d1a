"""Who may ask the app for what: its own pages in the browser of the person who started it, and nobody else.

A web page from elsewhere can make the browser send requests to a program on this machine. What is asked under a name that is
not the app's (DNS rebinding), what another site sends (cross-site request forgery) and what another site frames is refused
(OWASP cheat sheets on CSRF and clickjacking; Content Security Policy 3).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request, session
from werkzeug.wrappers import Response as AnyResponse

LOOPBACK = ("localhost", "127.0.0.1", "::1")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The policy of the app's own pages: scripts and styles are files of the app, nothing is inline."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Doors:
    """The checks before every request of an app.

    ``names``: under which it may be called beside those of loopback; ``token``: without which nothing is answered (None: no
    token is asked for).
    """

    def __init__(self, names: Iterable[str] = (), token: str | None = None) -> None:
        self._names = frozenset(name.lower() for name in (*LOOPBACK, *names))
        self._token = token

    def install(self, app: Flask) -> None:
        """Put the checks before every request of ``app``, and the headers on every answer."""
        app.secret_key = secrets.token_bytes(32)
        app.config.update(
            # cookies know no ports: another app on this machine must not overwrite this one's
            SESSION_COOKIE_NAME=f"lstv-{secrets.token_hex(4)}",
            SESSION_COOKIE_HTTPONLY=True,
            # "Strict" would keep it back from the page itself when the address is opened from a terminal in the browser
            SESSION_COOKIE_SAMESITE="Lax",
        )
        app.before_request(self._check)
        app.after_request(_with_headers)

    def _check(self) -> AnyResponse | None:
        if (_host(request.headers.get("Host", "")) or "") not in self._names:
            abort(421, "the app is not called by this name; open the address that it printed when it started.")
        if self._token is not None and not session.get("let_in"):
            given = request.args.get("token", "")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                abort(
                    401, "the token is missing or wrong; open the whole address that the app printed when it started."
                )
            session["let_in"] = True
            if request.method in ("GET", "HEAD"):
                return redirect(request.path)  # without the token, which would stay in the history
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _refuse_forgery()
        # a picture or script of another site that asks here: it could see nothing of it, but keep this machine at work
        if (
            request.headers.get("Sec-Fetch-Site") == "cross-site"
            and request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            abort(403, "another web site asked for this; open the app's own page.")
        return None


def csrf_token() -> str:
    """What a page must send with everything that changes something; the same for one browser as long as the app runs."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def _refuse_forgery() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host", ""):
        abort(403, "another web site sent this; open the app's own page and begin there.")
    given = request.headers.get("X-CSRF-Token") or request.args.get("csrf", "")
    known = session.get("csrf", "")
    if not known or not hmac.compare_digest(given.encode(), str(known).encode()):
        abort(403, "the page is older than the app; reload it and try again.")


def _host(header: str) -> str | None:
    """The name in a Host header, without port and brackets; None where it is none."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
