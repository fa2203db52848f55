"""The channel between referee and trainee: small JSON messages and raw bytes over a socket. Nothing is unpickled."""

import contextlib
import json
import select
import socket
import struct
import time
from typing import Any

MESSAGE_LIMIT = 1 << 20
"""Bytes of a message at most: a kind, a few numbers, a traceback."""
_HEADER = struct.Struct("!Q")


class ChannelClosed(Exception):
    """The other side has gone."""


class ChannelTimeout(Exception):
    """The other side has not sent a whole message in time."""


class ChannelViolation(Exception):
    """The other side has sent what is no message."""


class Channel:
    """One end of a socket pair. Every wait has a deadline, also inside a message that comes in pieces.

    `sentinel` is a descriptor that becomes readable when the process at the other end has gone, even if what it has
    started still holds the socket.
    """

    def __init__(self, end: socket.socket, sentinel: int | None = None) -> None:
        self.socket = end
        self.watched = [end] if sentinel is None else [end, sentinel]

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message of `kind` with `fields` that JSON can hold."""
        self.send_bytes(json.dumps({"kind": kind, **fields}).encode())

    def send_bytes(self, payload: bytes) -> None:
        try:
            self.socket.sendall(_HEADER.pack(len(payload)))
            self.socket.sendall(payload)
        except OSError as error:
            raise ChannelClosed(str(error)) from None

    def send_file(self, descriptor: int) -> None:
        """Send an open file, for the other side to have as its own."""
        try:
            socket.send_fds(self.socket, [b"\0"], [descriptor])
        except OSError as error:
            raise ChannelClosed(str(error)) from None

    def receive_file(self) -> int:
        """Receive an open file; gives its descriptor."""
        descriptors = socket.recv_fds(self.socket, 1, 1)[1]
        if not descriptors:
            raise ChannelClosed("end of file")
        return descriptors[0]

    @property
    def is_silent(self) -> bool:
        """Whether nothing has arrived that was not received yet."""
        if not select.select([self.socket], [], [], 0)[0]:
            return True
        with contextlib.suppress(OSError):
            return not self.socket.recv(1, socket.MSG_PEEK)
        return True

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """Receive a message within `timeout` seconds.

        Raises `ChannelTimeout`, `ChannelClosed`, or `ChannelViolation` where it is not a JSON object with a kind.
        """
        payload = self.receive_bytes(MESSAGE_LIMIT, timeout)
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            raise ChannelViolation(f"a message that is not JSON ({len(payload)} bytes)") from None
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise ChannelViolation("a message without a kind")
        return message

    def receive_bytes(self, limit: int, timeout: float | None = None) -> bytes:
        """Receive raw bytes, at most `limit` of them, within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        (size,) = _HEADER.unpack(self._receive_exactly(_HEADER.size, deadline))
        if size > limit:
            raise ChannelViolation(f"a message of {size} bytes where {limit} are the limit")
        return self._receive_exactly(size, deadline)

    def _receive_exactly(self, size: int, deadline: float | None) -> bytes:
        received = bytearray()
        while len(received) < size:
            left = None if deadline is None else deadline - time.monotonic()
            readable = select.select(self.watched, [], [], left)[0] if left is None or left > 0 else []
            if not readable:
                raise ChannelTimeout
            if self.socket not in readable:
                raise ChannelClosed("the process has gone")
            try:
                piece = self.socket.recv(min(size - len(received), 1 << 20))
            except OSError as error:
                raise ChannelClosed(str(error)) from None
            if not piece:
                raise ChannelClosed("end of file")
            received += piece
        return bytes(received)

    def close(self) -> None:
        self.socket.close()
