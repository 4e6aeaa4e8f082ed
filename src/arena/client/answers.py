"""Asks a service and reads its answer whole, for the clients of exploits.

An answer that is cut off, has bytes left over, or can be read in two ways raises Incomplete, which ends the client: such a
run is inconclusive, never "blocked". Two readers must agree: the strict one here and that of the standard library.
"""

import gzip
import http.client
import io
import json
import os
import re
import socket
import sys
import time
import zlib

DRAWN = json.loads(os.environ.get("CRISOL_DRAWN", "{}"))
"""What was drawn for this run: names and texts."""

CANARY = DRAWN.get("canary", "").encode()
"""What must not come out, if this run has such."""

MOST = 32 << 20
"""The largest body that is read, in bytes, before and after its codings are undone."""
LINGER = 0.3
"""How long a service may take to close its connection, or to say more, after an answer that told its length, in seconds."""

STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
CHARSET = re.compile(r""";\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))""", re.IGNORECASE)
# What browsers read, and nothing that only Python does.
CHARSETS = re.compile(
    r"utf-?8|utf-16(le|be)?|us-ascii|ascii|latin-?1|iso-8859-\d+|windows-125\d|shift_jis|euc-jp|euc-kr|gbk|gb18030|big5|koi8-r"
)
MARKS = [(b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")]


class Incomplete(Exception):
    """What came is no whole answer that can be read in one way."""


class Late(Incomplete):
    """The service let a request wait for as long as it may."""


LATE = 124
"""The status with which a client ends that Late ended, as timeout(1) has it."""


def end_late(kind, error, trace):
    sys.__excepthook__(kind, error, trace)
    if issubclass(kind, Late):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(LATE)


sys.excepthook = end_late


class Answer:
    """An answer, its codings undone."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        """The value of the first header of this name; None without one."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)

    @property
    def text(self):
        """The body as text, by its mark or charset."""
        for mark, charset in MARKS:
            if self.body.startswith(mark):
                return decoded(self.body, charset)
        named = CHARSET.search(self.header("content-type") or "")
        if named:
            charset = (named[1] or named[2] or "").strip().lower()
            if not CHARSETS.fullmatch(charset):
                raise Incomplete(f"nobody reads the charset {charset!r}")
            return decoded(self.body, charset)
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            return self.body.decode("latin-1")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:400]!r}>"


def decoded(body, charset):
    try:
        return body.decode(charset)
    except (LookupError, UnicodeError) as error:
        raise Incomplete(f"the body is no {charset}: {error}") from None


def unpacked(body, coding):
    """A body with one coding undone."""
    try:
        if coding in ("gzip", "x-gzip"):
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
                plain = packed.read(MOST + 1)
        elif coding == "deflate":
            # Some send the bare stream, and browsers read that too.
            is_wrapped = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
            packed = zlib.decompressobj(zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS)
            plain = packed.decompress(body, MOST + 1)
            if not packed.eof or packed.unused_data:
                raise Incomplete("the deflated body is not whole")
        elif coding == "identity":
            plain = body
        else:
            raise Incomplete(f"nobody undoes the coding {coding!r}")
    except (OSError, EOFError, zlib.error) as error:
        raise Incomplete(f"the body is no {coding}: {error}") from None
    if len(plain) > MOST:
        raise Incomplete("the body is too large")
    return plain


def head_of(data):
    """Status, headers and the rest of what begins with a head; None while that is not whole."""
    head, gap, rest = data.partition(b"\r\n\r\n")
    if not gap:
        return None
    first, *lines = head.split(b"\r\n")
    status = STATUS.fullmatch(first)
    fields = [FIELD.fullmatch(line) for line in lines]
    # Bare line ends, folded headers and blanks before a colon are read in more ways than one.
    if not status or not all(fields):
        raise Incomplete(f"no head of HTTP: {head[:400]!r}")
    headers = [(field[1].decode("ascii"), field[2].strip(b"\t ").decode("latin-1")) for field in fields]
    return int(status[1]), int(status[2]), headers, rest


def unchunked(data):
    """The body and what follows of data in chunks; None while that is not whole."""
    body = []
    while True:
        line, gap, data = data.partition(b"\r\n")
        if not gap:
            return None
        size = CHUNK.fullmatch(line)
        if not size:
            raise Incomplete(f"no size of a chunk: {line[:100]!r}")
        size = int(size[1], 16)
        if size == 0:
            break
        if len(data) < size + 2:
            return None
        if data[size : size + 2] != b"\r\n":
            raise Incomplete("a chunk is longer than it says")
        body.append(data[:size])
        data = data[size + 2 :]
    while True:
        line, gap, data = data.partition(b"\r\n")
        if not gap:
            return None
        if not line:
            return b"".join(body), data
        if not FIELD.fullmatch(line):
            raise Incomplete(f"no trailer: {line[:100]!r}")


def read(data, is_closed, method="GET"):
    """The answer that these bytes are; None while they are none yet."""
    if data and not b"HTTP/1.".startswith(data[:7]):
        raise Incomplete(f"no HTTP: {data[:100]!r}")
    whole = data
    while True:
        head = head_of(data)
        if head is None:
            if is_closed:
                raise Incomplete(f"no whole head: {data[:400]!r}")
            return None
        minor, status, headers, rest = head
        if status == 101 or (status < 200 and minor == 0):
            raise Incomplete(f"no answer: {status}")
        if status >= 200:
            break
        data = rest

    def values(name):
        return [value for each, value in headers if each.lower() == name]

    lengths, codings = values("content-length"), values("transfer-encoding")
    if len(lengths) + len(codings) > 1 or len(values("content-type")) > 1:
        raise Incomplete("the answer tells its length or its type more than once")
    if method == "HEAD" or status in (204, 304):
        body, left = b"", rest
    elif codings:
        if codings[0].lower() != "chunked" or minor == 0:
            raise Incomplete(f"nobody undoes the coding {codings[0]!r}")
        body, left = unchunked(rest) or (None, b"")
    elif lengths:
        if not re.fullmatch("[0-9]{1,9}", lengths[0]):
            raise Incomplete(f"{lengths[0]!r} is no length")
        length = int(lengths[0])
        body, left = (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")
    else:
        body, left = (rest, b"") if is_closed else (None, b"")
    if body is None:
        if is_closed:
            raise Incomplete("the body is cut off")
        return None
    if left:
        raise Incomplete(f"bytes are left over: {left[:100]!r}")
    agree(whole, method, status, headers, body)
    for coding in reversed(",".join(values("content-encoding")).lower().split(",")):
        if coding.strip():
            body = unpacked(body, coding.strip())
    answer = Answer(status, headers, body)
    if CANARY and (CANARY in whole or CANARY in body):
        # A label or a framing that hides it from clients hides it from nobody who reads the bytes.
        told = [answer.text, *(name + value for name, value in headers)]
        if not any(CANARY.decode() in each for each in told):
            raise Incomplete("the bytes of the answer tell what its text does not")
    return answer


class Recorded:
    """Bytes as the standard library wants them."""

    def __init__(self, data):
        self.data = data

    def makefile(self, *_):
        return io.BytesIO(self.data)


def agree(data, method, status, headers, body):
    """Has the standard library read the same, or raises."""
    second = http.client.HTTPResponse(Recorded(data), method=method)
    try:
        while True:
            second.begin()
            if second.status >= 200:
                break
        alike = second.read() == body and second.status == status
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Incomplete(f"two readers differ: {error!r}") from None
    if not alike or [name for name, _ in second.getheaders()] != [name for name, _ in headers]:
        raise Incomplete("two readers differ")


def ask(request, port, host="127.0.0.1", patience=8):
    """Sends these bytes on a connection of their own and returns the Answer.

    Raises Incomplete unless one whole answer comes within so many seconds, and OSError where there is no connection.
    """
    method = request.split(b" ", 1)[0].decode("latin-1")
    end = time.monotonic() + patience
    data, is_closed = b"", False
    with socket.create_connection((host, int(port)), patience) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            # Refused while it was on its way: what was answered still counts.
            pass
        while True:
            left = end - time.monotonic()
            if left <= 0:
                break
            connection.settimeout(left)
            try:
                block = connection.recv(65536)
            except (TimeoutError, socket.timeout):
                break
            except ConnectionResetError as error:
                raise Incomplete(f"the connection ended: {error}") from None
            if not block:
                is_closed = True
                break
            data += block
            if len(data) > MOST:
                raise Incomplete("the answer is too large")
            if read(data, False, method):
                end = min(end, time.monotonic() + LINGER)
    answer = read(data, is_closed, method)
    if answer is None:
        raise Late(f"no whole answer in time: {data[:400]!r}")
    return answer


def get(path, port, headers=None, method="GET", body=None, host="127.0.0.1", patience=8):
    """Asks for a path, as it is written, with the headers of an ordinary client.

    `headers` take the place of those; one whose value is None or empty is left out. `host` is where the service is; what
    it is called stands in the header Host.
    """
    body = body.encode() if isinstance(body, str) else body
    named = {"Host": f"{host}:{port}"}
    for name, key in [("User-Agent", "user-agent"), ("Accept-Language", "accept-language")]:
        named[name] = DRAWN.get(key)
    named["Accept"] = "*/*"
    named["Connection"] = "close"
    if body is not None:
        named["Content-Length"] = str(len(body))
    for name, value in (headers or {}).items():
        named = {each: kept for each, kept in named.items() if each.lower() != name.lower()}
        named[name] = value
    lines = [f"{name}: {value}\r\n" for name, value in named.items() if value]
    head = f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n"
    return ask(head.encode() + (body or b""), port, host=host, patience=patience)
