"""Claims about answers.py: what is read, and beside it what is refused."""

import gzip
import socket
import threading
import time
import unittest
import zlib

import answers
from answers import Incomplete, ask, get, read


def head(*lines, status="200 OK", version="1.1"):
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode("latin-1")


def served(parts, pause=0.0, stays=0.0):
    """A port whose service reads a request, sends these parts and closes; and what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        connection, _ = listener.accept()
        with connection, listener:
            seen.append(connection.recv(65536))
            try:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
                time.sleep(stays)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], seen


class Answers(unittest.TestCase):
    def test_whole_answers_are_read(self):
        for data in [
            head("Content-Length: 3") + b"abc",
            head("Transfer-Encoding: chunked") + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: one\r\n\r\n",
            head("X: y") + b"abc",
            head(status="100 Continue") + head("Content-Length: 3") + b"abc",
            head("Content-Encoding: gzip") + gzip.compress(b"abc"),
            head("Content-Encoding: deflate") + zlib.compress(b"abc"),
            head("Content-Encoding: deflate") + zlib.compress(b"abc")[2:-4],
            head("Content-Encoding: gzip, gzip") + gzip.compress(gzip.compress(b"abc")),
            head("Content-Type: text/plain; charset=utf-16le") + "abc".encode("utf-16le"),
            head("Content-Type: text/plain; charset=\"UTF-16\"") + "abc".encode("utf-16"),
            head("Content-Type: text/html") + b"\xfe\xff" + "abc".encode("utf-16be"),
            head("Content-Type: text/html; charset=latin1") + b"\xef\xbb\xbfabc",
        ]:
            self.assertEqual(read(data, True).text, "abc", data)
        self.assertEqual(read(head("Content-Length: 3"), True, "HEAD").body, b"")
        self.assertEqual(read(head(status="304 Not Modified"), True).status, 304)

    def test_what_can_be_read_in_two_ways_is_refused(self):
        for data in [
            b"",
            b"no http at all",
            b"HTTP/1.1 200 OK\r\nContent-",
            b"HTTP/1.1 200 OK\n\nabc",
            b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/2 200\r\n\r\nabc",
            head("Content-Length: 4") + b"abc",
            head("Content-Length: 3") + b"abcd",
            head("Content-Length: 3", "Content-Length: 3") + b"abc",
            head("Content-Length: 3", "Content-Length: 2") + b"abc",
            head("Content-Length: +3") + b"abc",
            head("Content-Length : 3") + b"abc",
            head("Content-Length: 3", " folded: yes") + b"abc",
            head("X: a\0b") + b"abc",
            head("X: a\rb") + b"abc",
            head("no field") + b"abc",
            head("Transfer-Encoding: chunked", "Content-Length: 3") + b"3\r\nabc\r\n0\r\n\r\n",
            head("Transfer-Encoding: gzip, chunked") + b"3\r\nabc\r\n0\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n",
            head("Transfer-Encoding: chunked") + b"3\r\nabcd\r\n0\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"0x3\r\nabc\r\n0\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\nmore",
            head("Transfer-Encoding: chunked", version="1.0") + b"3\r\nabc\r\n0\r\n\r\n",
            head("Content-Encoding: br") + b"abc",
            head("Content-Encoding: zstd") + b"abc",
            head("Content-Encoding: gzip") + b"abc",
            head("Content-Encoding: gzip") + gzip.compress(b"abc")[:-2],
            head("Content-Encoding: deflate") + zlib.compress(b"abc") + b"d",
            head(status="101 Switching Protocols"),
            head(status="204 No Content") + b"abc",
        ]:
            with self.assertRaises(Incomplete, msg=data):
                read(data, True)
        for data in [
            head("Content-Type: text/plain; charset=utf-7") + b"abc",
            head("Content-Type: text/plain; charset=utf-16") + b"abc",
            head("Content-Type: text/plain; charset=utf-8") + b"ab\xff",
        ]:
            answer = read(data, True)
            with self.assertRaises(Incomplete, msg=data):
                answer.text

    def test_a_secret_that_is_hidden_from_clients_alone_is_no_whole_answer(self):
        answers.CANARY = b"c4nary"
        self.addCleanup(setattr, answers, "CANARY", b"")
        wide = head("Content-Type: text/html; charset=utf-16", "Content-Length: 6")
        chunked = head("Transfer-Encoding: chunked")
        for hidden in [wide + b"c4nary", chunked + b"1;a=c4nary\r\nx\r\n0\r\n\r\n", chunked + b"1\r\nx\r\n0\r\nX-Last: c4nary\r\n\r\n"]:
            with self.assertRaises(Incomplete):
                read(hidden, False)
            # The same without it is an answer like others.
            self.assertEqual(read(hidden.replace(b"c4nary", b"c5nary"), False).status, 200)
        self.assertEqual(read(head("Content-Length: 6") + b"c4nary", False).text, "c4nary")
        self.assertEqual(read(head("Content-Length: 12", "Content-Type: text/html; charset=utf-16le") + "c4nary".encode("utf-16le"), False).text, "c4nary")

    def test_an_answer_ends_with_its_length_or_its_connection(self):
        port, seen = served([head("Content-Length: 3"), b"ab", b"c"], pause=0.05)
        self.assertEqual(get("/a?b", port, headers={"host": "a.test", "X": "y", "Accept": None}).text, "abc")
        sent = seen[0].decode()
        self.assertTrue(sent.startswith("GET /a?b HTTP/1.1\r\n") and "host: a.test\r\nX: y\r\n" in sent, sent)
        self.assertNotIn("Accept:", sent)
        port, _ = served([head("Content-Length: 3") + b"abc"], stays=5)
        began = time.monotonic()
        self.assertEqual(ask(b"GET / HTTP/1.1\r\n\r\n", port).text, "abc")
        self.assertLess(time.monotonic() - began, 3)
        port, _ = served([head(), b"ab", b"c"], pause=0.05)
        self.assertEqual(get("/", port).text, "abc")

    def test_what_comes_late_or_not_at_all_is_no_answer(self):
        for parts, stays in [
            ([head(), b"abc"], 5),
            ([head("Content-Length: 4"), b"abc"], 5),
            ([], 0),
            ([head("Content-Length: 3") + b"abc", b"more"], 0),
        ]:
            port, _ = served(parts, pause=0.05, stays=stays)
            with self.assertRaises(Incomplete, msg=parts):
                get("/", port, patience=0.5)

    def test_a_body_that_unpacks_to_too_much_is_refused(self):
        most, answers.MOST = answers.MOST, 1000
        try:
            with self.assertRaises(Incomplete):
                read(head("Content-Encoding: gzip") + gzip.compress(b"a" * 2000), True)
        finally:
            answers.MOST = most


if __name__ == "__main__":
    unittest.main()
