"""Files at http, https and s3 addresses, of which only the parts are read that are asked for.

A server is as untrusted as its file: no more is read of an answer than was asked for, and that within a limit of time. After a
failure each read fails, so that no part of a file is taken for all of it. Requests are made in the thread that reads: h5py holds a
lock meanwhile, and a thread of a loop, as fsspec has, would wait for it for ever when it collects an object of h5py.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
import urllib.request as http
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote

from ..core.errors import NsnnError

_BLOCK, _MOST_BLOCKS = 2**20, 64  # bytes, and how many such blocks are kept, or asked for at once
S3 = "https://{bucket}.s3.amazonaws.com/{key}"  # Where the objects of a public bucket are
_SILENCE, _LONGEST = 30.0, 300.0  # s, without any answer, and of a request


class _Timed(io.RawIOBase):
    """What a server sends, headers too, within both limits of time."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._raw, self._end = socket, socket.makefile("rb", 0), time.monotonic() + _LONGEST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"longer than {_LONGEST:g} s")
        self._socket.settimeout(min(left, _SILENCE))
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, socket: Any, *args: Any, **options: Any) -> None:
        super().__init__(socket, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(socket))


class _InTime(http.AbstractHTTPHandler):
    def do_open(self, http_class: Any, req: Any, **http_conn_args: Any) -> Any:
        def connection(*args: Any, **keywords: Any) -> Any:
            made = http_class(*args, **keywords)
            made.response_class = _Answer
            return made

        return super().do_open(connection, req, **http_conn_args)


class _Http(_InTime, http.HTTPHandler):
    pass


class _Https(_InTime, http.HTTPSHandler):
    pass


class _Redirect(http.HTTPRedirectHandler):
    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        fp.close()  # which the parent would read to its end
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


_HANDLERS = (
    *(http.ProxyHandler, _Http, _Https),
    *(_Redirect, http.HTTPDefaultErrorHandler, http.HTTPErrorProcessor),
)  # none for ftp or files, to which a server may redirect


def is_address(path: Any) -> bool:
    """Whether `path` is an http, https or s3 address; NsnnError for one of another kind."""
    kind = re.match(r"([A-Za-z][\w+.-]*)://", path) if isinstance(path, str) else None
    if kind is not None and kind[1].lower() not in ("http", "https", "s3"):
        raise NsnnError(
            f"path = {path!r}: expected a file, or an address that begins with https://, http:// or s3://"
        )
    return kind is not None


@contextlib.contextmanager
def opened(address: str) -> Iterator[Any]:
    """The file at an address, open for reading; NsnnError without an answer, after a broken one, or without ranges."""
    file = _Remote(address)
    try:
        yield file
    finally:
        if file.error is not None:  # HDF5 and its readers may take it for a fault of the file
            raise file.error


class _Remote:
    """The bytes at an address; after a failure each read fails."""

    def __init__(self, address: str) -> None:
        self.error: NsnnError | None = None
        if address.lower().startswith("s3://"):  # the https form needs no credentials if the bucket is public
            parts = re.fullmatch(r"(?i:s3)://([a-z0-9][a-z0-9.-]*)/(.+)", address)
            if parts is None:
                raise NsnnError("expected s3://BUCKET/KEY")
            address = S3.format(bucket=parts[1], key=quote(parts[2]))
        self._address, self._at, self._size = address, 0, 1
        self._blocks: dict[int, bytes] = {}
        self._opener = http.OpenerDirector()
        for handler in _HANDLERS:
            self._opener.add_handler(handler())
        self.read(1)  # which tells the size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end of the file."""
        begin, end = self._at, min(self._at + size, self._size)
        numbers = range(begin // _BLOCK, -(-end // _BLOCK))
        for k in numbers if begin < end else ():
            if k not in self._blocks:
                most = min(k + _MOST_BLOCKS, numbers.stop)
                stop = next((n for n in range(k, most) if n in self._blocks), most)
                data = self._fetch(k * _BLOCK, stop * _BLOCK)
                self._blocks |= {n: data[(n - k) * _BLOCK :][:_BLOCK] for n in range(k, stop)}
        data = b"".join(self._blocks[k] for k in numbers) if begin < end else b""
        for k in list(self._blocks)[:-_MOST_BLOCKS]:
            del self._blocks[k]
        self._at = max(begin, end)
        return data[begin % _BLOCK :][: max(0, end - begin)]

    def _fetch(self, begin: int, end: int) -> bytes:
        if self.error is None:
            try:
                return self._answer(begin, end)
            except NsnnError as error:
                self.error = error
            except Exception as error:  # http.client and sockets have many
                self.error = NsnnError(f"no answer, or a broken one ({type(error).__name__}: {error})")
        raise self.error

    def _answer(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` to `end`, or to the end of the file."""
        data = bytearray()
        headers = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        with self._opener.open(http.Request(self._address, headers=headers), timeout=_SILENCE) as answer:
            part = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
            if part is None or int(part[1]) != begin:
                kind = answer.headers.get_content_type()
                page = "is it a page in place of a file?"
                cure = page if kind == "text/html" else "the server sends whole files only: download the file"
                raise NsnnError(
                    f"the answer {answer.status}, {kind}, is not the part that was asked for; {cure}"
                )
            if self._blocks and int(part[2]) != self._size:
                raise NsnnError(f"the file had {self._size} bytes and now has {part[2]}: try again")
            self._size = int(part[2])
            end = min(end, self._size)
            while len(data) < end - begin:
                piece = answer.read1(end - begin - len(data))
                if not piece:
                    raise OSError(f"{len(data)} of {end - begin} bytes, then the end")
                data += piece
        return bytes(data)
