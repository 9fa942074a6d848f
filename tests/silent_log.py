"""A log that takes commands and hangs up: for what must be sent once."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager


class SilentLog:
    """Stands for a log that takes commands and hangs up without an answer: what a real one cannot be told to do."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self.commands: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(65536):
                    if b"CLIENT" in data:
                        peer.sendall(b"+OK\r\n" * data.count(b"CLIENT"))
                    elif b"TIME" in data:
                        seconds = str(int(time.time())).encode()
                        peer.sendall(b"*2\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(seconds), seconds))
                    else:
                        self.commands.append(data)
                        break

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@contextmanager
def silent_log() -> Iterator[SilentLog]:
    with closing(SilentLog()) as log:
        yield log
