"""Which request goes to which resource. The listing is the API."""

from urllib.parse import parse_qsl, urlsplit

from node.api import cards, changes, contacts, invitations, meeting, messages, relay_lists, relays, status, traffic
from node.api.contract import Call, Handler, Node
from node.api.errors import ApiError

NUMBER = "{}"

ROUTES: dict[str, dict[str, Handler]] = {
    "/v1/status": {"GET": status.show},
    "/v1/name": {"PUT": status.rename},
    "/v1/traffic": {"GET": traffic.show},
    "/v1/relays": {"GET": relays.list_relays, "PUT": relays.replace_relays, "POST": relay_lists.choose},
    "/v1/relay-lists": {"GET": relay_lists.list_lists, "POST": relay_lists.follow},
    "/v1/relay-lists/{}": {"GET": relay_lists.show, "DELETE": relay_lists.unfollow},
    "/v1/invitations": {"GET": invitations.list_invitations, "POST": invitations.invite},
    "/v1/invitations/{}": {"DELETE": invitations.cancel},
    "/v1/contacts": {"GET": contacts.list_contacts, "POST": contacts.accept},
    "/v1/contacts/{}": {"GET": contacts.show, "PATCH": contacts.change, "DELETE": contacts.remove},
    "/v1/cards": {"GET": cards.list_cards, "POST": cards.publish},
    "/v1/cards/withdrawn": {"PUT": cards.withdraw},
    "/v1/meeting": {"GET": meeting.show, "POST": meeting.begin, "DELETE": meeting.end},
    "/v1/meeting/call": {"POST": meeting.make_call, "PUT": meeting.compare},
    "/v1/messages": {"GET": messages.list_messages, "POST": messages.send},
    "/v1/changes": {"GET": changes.follow},
}


def resolve(node: Node, method: str, target: str, body: bytes) -> tuple[Handler, Call]:
    """The handler of a request and its call. Raises ApiError."""
    parts = urlsplit(target)
    segments = parts.path.split("/")
    arguments = tuple(int(segment) for segment in segments if _is_number(segment))
    handlers = ROUTES.get("/".join(NUMBER if _is_number(segment) else segment for segment in segments))
    if handlers is None:
        raise ApiError("not_found", f"There is no {parts.path}.")
    handler = handlers.get(method)
    if handler is None:
        raise ApiError("method_not_allowed", f"{parts.path} takes {', '.join(handlers)}, not {method}.")
    try:
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=8))
    except ValueError as error:
        raise ApiError("bad_request", f"The query does not parse: {error}.") from None
    return handler, Call(node, arguments, query, body)


def _is_number(segment: str) -> bool:
    return segment.isascii() and segment.isdigit() and len(segment) < 16
