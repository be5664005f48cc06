"""Serving the local API: each connection bounded in bytes and time, and contained, so that none disturbs another."""

import contextlib
import logging
from collections.abc import AsyncIterator

import h11
import msgspec
import trio

from node.api import limits
from node.api.access import Access, bind_socket, bound_port, grant, revoke
from node.api.contract import Call, Handler, Lines, Node, Reply
from node.api.errors import ApiError, from_exception
from node.api.routes import resolve
from node.profile import Profile

log = logging.getLogger(__name__)

JSON = (b"content-type", b"application/json")
NDJSON = (b"content-type", b"application/x-ndjson")
HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@contextlib.asynccontextmanager
async def serve_api(node: Node, profile: Profile) -> AsyncIterator[None]:
    """Answer requests while the block runs. Whoever calls holds the profile's lock. Raises CallerError, OSError."""
    bound = bind_socket(profile)
    try:
        server = Server(node, grant(profile, bound_port(bound)))
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, server.serve_connection, [listener])
            yield
            nursery.cancel_scope.cancel()
    finally:
        bound.close()
        revoke(profile)


class Server:
    """All connections of one node's API."""

    def __init__(self, node: Node, access: Access) -> None:
        self.node = node
        self.access = access
        self._open = 0

    async def serve_connection(self, stream: trio.SocketStream) -> None:
        """Containment: whatever one client sends or does, nothing leaves from here but cancellation."""
        self._open += 1
        try:
            async with stream:
                await Connection(self, stream, self._open > limits.MAX_CONNECTIONS).serve()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # they went, or do not read
        except* Exception:
            log.exception("a connection to the local API failed")
        finally:
            self._open -= 1


class Connection:
    """One client's requests, one after the other."""

    def __init__(self, server: Server, stream: trio.SocketStream, crowded: bool) -> None:
        self._server = server
        self._stream = stream
        self._crowded = crowded
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.MAX_HEADER_BYTES)
        self._bodiless = False

    async def serve(self) -> None:
        """Until the client leaves, is silent for too long, or asks for what is refused."""
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            code = "headers_too_large" if error.error_status_hint == 431 else "bad_request"
            await self._refuse(ApiError(code, f"That is no HTTP request: {error}."))
        except ApiError as error:
            await self._refuse(error)
        await self._linger()

    async def _serve_one(self) -> bool:
        """One request and its reply; whether another may follow. Raises ApiError, h11.RemoteProtocolError."""
        received = await self._receive()
        if received is None:
            return False
        request, body = received
        handler, call = resolve(self._server.node, request.method.decode(), request.target.decode(), body)
        answer = await _answer(handler, call)
        if isinstance(answer, Reply):
            await self._reply(answer)
        else:
            await self._stream_lines(answer)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _receive(self) -> tuple[h11.Request, bytes] | None:
        """The next whole request; nil where the client has left or stays silent."""
        request, body, begun = None, bytearray(), False
        with trio.move_on_after(limits.IDLE_SECONDS) as waiting:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    await self._permit_body()
                    self._http.receive_data(await self._stream.receive_some(65_536))
                    if not begun:
                        begun, waiting.deadline = True, trio.current_time() + limits.REQUEST_SECONDS
                elif isinstance(event, h11.Request):
                    self._bodiless = event.method == b"HEAD"  # no reply to it has a body, a refusal neither
                    self._admit(event)
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > limits.MAX_BODY_BYTES:
                        raise ApiError("too_large", f"A body has at most {limits.MAX_BODY_BYTES:,} bytes.")
                elif isinstance(event, h11.EndOfMessage) and request is not None:
                    return request, bytes(body)
                else:
                    return None
        if begun:
            raise ApiError("too_slow", f"The request did not come within {limits.REQUEST_SECONDS:g} seconds.")
        return None

    def _admit(self, request: h11.Request) -> None:
        """Before anything of the body is read. Raises ApiError."""
        if self._crowded:
            raise ApiError("unavailable", "Too many programs use this node at once.")
        given = [value for name, value in request.headers if name == b"authorization"]
        if len(given) != 1 or not self._server.access.admits(given[0]):
            raise ApiError("unauthorised", "The token in the access file is needed: Authorization: Bearer TOKEN.")

    async def _permit_body(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))

    async def _refuse(self, error: ApiError) -> None:
        """Tell the client, where something can still be told; nothing follows on this connection."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = {"error": {"code": error.code, "message": str(error)}}
            await self._reply(Reply(body, error.status), (b"connection", b"close"))

    async def _reply(self, reply: Reply, *headers: tuple[bytes, bytes]) -> None:
        body = msgspec.json.encode(reply.body)
        length = (b"content-length", str(len(body)).encode())
        await self._send(
            h11.Response(status_code=reply.status, headers=[JSON, length, *HEADERS, *headers]),
            h11.Data(b"" if self._bodiless else body),
            h11.EndOfMessage(),
        )

    async def _stream_lines(self, lines: Lines) -> None:
        """Until the client leaves, sends more, closes its half, or stops reading."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await self._send(h11.Response(status_code=200, headers=[NDJSON, *HEADERS]))
            while True:
                await self._send(h11.Data(await lines.next()))

    async def _watch(self, streaming: trio.CancelScope) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await self._stream.receive_some(1)
        streaming.cancel()

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        with trio.fail_after(limits.WRITE_SECONDS):
            await self._stream.send_all(data)

    async def _linger(self) -> None:
        """Read on for a moment: closing with unread bytes would throw away the reply that says what was wrong."""
        with trio.move_on_after(limits.LINGER_SECONDS):
            await self._stream.send_eof()
            while await self._stream.receive_some(65_536):
                pass


async def _answer(handler: Handler, call: Call) -> Reply | Lines:
    """What the resource answers. Raises ApiError only: our own faults are logged here and not told."""
    try:
        with trio.fail_after(limits.OPERATION_SECONDS):
            answer: Reply | Lines = await handler(call)
            return answer
    except trio.TooSlowError:
        raise ApiError("timeout", "No answer yet. It may still be carried out: look before asking again.") from None
    except Exception as error:
        told = from_exception(error)
        if told is None:
            log.exception("a request to the local API failed")
            told = ApiError("internal", "This is a fault of the program; its log says more.")
        raise told from None
