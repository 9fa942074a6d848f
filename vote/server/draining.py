"""Stop serving without failing a request: lame-duck mode between SIGTERM and uvicorn's own shutdown.

uvicorn closes its listening sockets and every connection without a request under way, at once. Whoever has just connected,
and whose request is on its way or waits in the kernel's queue, gets a reset, which for a ballot means "not confirmed".
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from uvicorn import Server

from vote.server.closing_port import take_place
from vote.server.http_protocol import FrontDoorProtocol

LAME_DUCK_S = 1.0  # a request follows its connection within milliseconds; proxies learn within one that we leave


class DrainingServer(Server):
    """A uvicorn server that answers everyone who connected before it closed its sockets."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept who waits, close the sockets, answer for LAME_DUCK_S with `Connection: close`; then stop."""
        taken = [take_place(listener) for listener in sockets or []]
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for waiting, own in taken:
            await self._serve_all(waiting)
            if own is not None:
                own.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, FrontDoorProtocol):
                connection.close_after_answer()
        await asyncio.sleep(LAME_DUCK_S)
        await super().shutdown(sockets)

    async def _serve_all(self, waiting: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for accepted in waiting:
            with contextlib.suppress(OSError):  # it has gone
                await loop.connect_accepted_socket(self._protocol, accepted)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol
