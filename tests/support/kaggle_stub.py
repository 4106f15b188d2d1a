"""A stand-in for Kaggle on loopback: the calls of the official client, a storage with ranges, and their failures.

The real client reaches it with ``KAGGLE_API_ENVIRONMENT=LOCALHOST`` and ``http_proxy`` set to it (``environment``): every
plain-http address of that process then ends here. Answers follow the client's source; error bodies are a model.

By hand, for instance beside a container: ``python tests/support/kaggle_stub.py --port 8099`` and the printed variables.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

USERNAME, KEY, TOKEN, REFRESH = "tester", "k3y-s3cret-0123456789", "KGAT_s3cret-0123456789", "r3fresh-s3cret-0123456789"
STORAGE = "storage.invalid"

DATASET_FILE = "datasets.DatasetApiService/DownloadDataset"
DATASET_INFO = "datasets.DatasetApiService/GetDatasetMetadata"
COMPETITION_FILE = "competitions.CompetitionApiService/DownloadDataFile"
COMPETITION_ARCHIVE = "competitions.CompetitionApiService/DownloadDataFiles"
INTROSPECT = "security.OAuthService/IntrospectToken"
LOGIN = "users.AccountService/GenerateAccessToken"


class Content(Protocol):
    """What a stored file must offer; ``bytes`` is wrapped by ``Bytes``."""

    size: int
    etag: str

    def read(self, start: int, stop: int) -> bytes: ...


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)
        self.etag = f'"{hashlib.md5(data).hexdigest()}"'

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


@dataclass
class Fault:
    """Something that goes wrong ``times`` times (-1: always) in requests of ``where`` (api or storage).

    ``kind``: status (answer ``status``), cut (close after ``share`` of the body), alter (flip a byte of the body), shorten
    (announce and send only ``share`` of it), expire (make the link invalid), page (a web page with status 200), renew (new
    ETag), stall (send nothing for ``share`` seconds), shift (send the bytes one further, and say so). ``after`` requests
    pass first; ``least`` bytes make a body count.
    """

    where: str
    kind: str
    times: int = 1
    status: int = 500
    share: float = 0.5
    after: int = 0
    least: int = 2
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class Request:
    where: str
    name: str
    range: str | None
    authorization: str | None
    sent: int


class KaggleStub:
    """Serves from a background thread; a context manager.

    ``files`` maps ``dataset/<name>``, ``competition/<name>`` and ``competition/archive.zip`` to their content.
    """

    def __init__(self, files: dict[str, bytes | Content], port: int = 0) -> None:
        self.files: dict[str, Content] = {name: Bytes(c) if isinstance(c, bytes) else c for name, c in files.items()}
        self.faults: list[Fault] = []
        self.log: list[Request] = []
        self.ranges = self.tell_etag = self.tell_md5 = True
        self.rules_accepted = True
        self.public_dataset = True
        self.rate: float | None = None
        """Bytes a second and connection; None for as fast as it goes."""
        self.latency = 0.0
        """Seconds before each answer."""
        self.generation = 0
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stub = self
        self.port = self._server.server_address[1]

    def __enter__(self) -> KaggleStub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        """``base`` without credentials and proxies of the caller, and with this stub as the only place to reach."""
        kept = {name: value for name, value in base.items() if not name.startswith(("KAGGLE_", "XDG_"))}
        for name in ("no_proxy", "all_proxy", "http_proxy", "https_proxy"):
            kept.pop(name, None)
            kept.pop(name.upper(), None)
        return {
            **kept,
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.port}",
            "https_proxy": "http://127.0.0.1:9",
        }

    def requests(self, where: str) -> list[Request]:
        return [request for request in self.log if request.where == where]

    def sent(self) -> int:
        """Bytes of file content that left the storage."""
        return sum(request.sent for request in self.requests("storage"))

    def take_fault(self, where: str, size: int) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.where != where or fault.times == 0 or (where == "storage" and size < fault.least):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def stub(self) -> KaggleStub:
        return self.server.stub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        time.sleep(self.stub.latency)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        call = urlsplit(self.path).path.removeprefix("/api/v1/")
        self._note("api", call, 0)
        fault = self.stub.take_fault("api", 0)
        if fault is not None and fault.kind == "status":
            self._json(fault.status, {"code": fault.status, "message": fault.message or "No."}, fault.headers)
        elif fault is not None and fault.kind == "page":
            self._answer(200, b"<!DOCTYPE html><html>log in to the hotel</html>", {"Content-Type": "text/html"})
        elif fault is not None and fault.kind in ("cut", "stall"):
            time.sleep(fault.share if fault.kind == "stall" else 0)
            self.close_connection = True
        elif call == INTROSPECT:
            self._json(200, {"active": body.get("token") == TOKEN, "username": USERNAME})
        elif call == LOGIN:
            good = body.get("refreshToken") == REFRESH
            self._json(200, {"token": TOKEN, "expiresIn": 43200}) if good else self._refuse(401, "Unauthenticated")
        else:
            self._link(call, body)

    def _link(self, call: str, body: dict) -> None:
        who = self._who()
        if who == "wrong" or (who == "nobody" and (not self.stub.public_dataset or not call.startswith("datasets"))):
            self._refuse(401, "Unauthenticated")
            return
        if call == DATASET_INFO:
            self._json(200, {"info": {"licenses": [{"name": "unknown"}]}})
            return
        if call.startswith("competitions") and not self.stub.rules_accepted:
            self._refuse(403, "You must accept this competition's rules before you'll be able to download files.")
            return
        name = {
            DATASET_FILE: f"dataset/{body.get('fileName')}",
            COMPETITION_FILE: f"competition/{body.get('fileName')}",
            COMPETITION_ARCHIVE: "competition/archive.zip",
        }.get(call)
        if name not in self.stub.files:
            self._refuse(404, "Not Found")
            return
        location = f"http://{STORAGE}/{name}?X-Goog-Signature=s1gned-{self.stub.generation}"
        self._answer(302, b"", {"Location": location})

    def do_GET(self) -> None:
        time.sleep(self.stub.latency)
        url = urlsplit(self.path)
        name = url.path.lstrip("/")
        content = self.stub.files.get(name)
        if content is None or url.hostname != STORAGE:
            self._note("storage", name, 0)
            self._answer(404, b"", {})
            return
        start, stop, status, headers = self._range(content)
        fault = self.stub.take_fault("storage", stop - start)
        if fault is not None and fault.kind == "expire":
            self.stub.generation += 1
        if fault is not None and fault.kind == "renew":
            content.etag = f'"{content.etag[1:9]}-new"'
        if parse_qs(url.query).get("X-Goog-Signature") != [f"s1gned-{self.stub.generation}"]:
            self._note("storage", name, 0)
            self._answer(400, b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>", {})
            return
        if fault is not None and fault.kind == "status":
            self._note("storage", name, 0)
            self._answer(fault.status, b"", fault.headers)
            return
        if self.stub.tell_etag:
            headers["ETag"] = content.etag
        if self.stub.tell_md5 and isinstance(content, Bytes):
            headers["x-goog-hash"] = (
                "crc32c=AAAAAA==, md5=" + base64.b64encode(hashlib.md5(content.data).digest()).decode()
            )
        self._body(name, content, start, stop, status, headers, fault)

    def _range(self, content: Content) -> tuple[int, int, int, dict[str, str]]:
        asked = self.headers.get("Range", "")
        if not self.stub.ranges or not asked.startswith("bytes="):
            return 0, content.size, 200, {}
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else content.size, content.size)
        return start, stop, 206, {"Content-Range": f"bytes {start}-{stop - 1}/{content.size}"}

    def _body(self, name, content, start, stop, status, headers, fault) -> None:
        kind = fault.kind if fault is not None else ""
        announced = stop - start
        end = start + int(announced * fault.share) if kind in ("cut", "shorten") else stop
        if kind == "shorten":
            announced = end - start
        if kind == "stall":
            time.sleep(fault.share)
        if kind == "shift":
            start, end = start + 1, end + 1
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(announced), "Content-Type": "application/zip"}.items():
            self.send_header(header, value)
        self.end_headers()
        position = start
        try:
            while position < end:
                piece = content.read(position, min(position + (1 << 14 if self.stub.rate else 1 << 18), end))
                if not piece:  # shifted beyond the end; to ask for more would keep a core busy without end
                    self.close_connection = True
                    break
                if kind == "alter" and position == start:
                    middle = len(piece) // 2
                    piece = piece[:middle] + bytes([piece[middle] ^ 1]) + piece[middle + 1 :]
                self.wfile.write(piece)
                position += len(piece)
                if self.stub.rate:
                    time.sleep(len(piece) / self.stub.rate)
        except OSError:
            self.close_connection = True
        if kind == "cut":
            self.close_connection = True
        self._note("storage", name, position - start)

    def _who(self) -> str:
        header = self.headers.get("Authorization")
        if header is None:
            return "nobody"
        basic = "Basic " + base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        return "tester" if header in (basic, f"Bearer {TOKEN}") else "wrong"

    def _refuse(self, status: int, message: str) -> None:
        self._json(status, {"code": status, "message": message})

    def _json(self, status: int, body: dict, headers: dict[str, str] | None = None) -> None:
        self._answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _note(self, where: str, name: str, sent: int) -> None:
        request = Request(where, name, self.headers.get("Range"), self.headers.get("Authorization"), sent)
        with self.stub.lock:
            self.stub.log.append(request)


def small_archive(
    studies: int = 8, series: int = 3, slices: int = 6, size: int = 30_000
) -> tuple[bytes, dict[str, bytes]]:
    """A zip in the layout of the competition, and its files by name; half of each file's bytes can be compressed."""
    import random

    source = random.Random(0)
    files = {"train_series_descriptions.csv": series_table(studies, series)}
    for study in range(studies):
        for number in range(series):
            for slice_number in range(1, slices + 1):
                half = source.randbytes(size // 2)
                files[f"train_images/{1000 + study}/{50 + number}/{slice_number}.dcm"] = half + bytes(size - len(half))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in sorted(files):
            archive.writestr(name, files[name])
    return stream.getvalue(), files


def series_table(studies: int, series: int) -> bytes:
    kinds = ("Sagittal T2/STIR", "Sagittal T1", "Axial T2")
    lines = [f"{1000 + s},{50 + n},{kinds[n % 3]}" for s in range(studies) for n in range(series)]
    return ("study_id,series_id,series_description\n" + "\n".join(lines) + "\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    archive, files = small_archive()
    table = "train_series_descriptions.csv"
    with KaggleStub({"competition/archive.zip": archive, f"competition/{table}": files[table]}, args.port) as stub:
        settings = {**stub.environment({}), "KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}
        print(" ".join(f"{name}={value}" for name, value in settings.items()), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
