"""What a plugin yields and is sent: `Request` and `Response` values. Nobody here opens a socket.

An operation is a generator: it yields a `Request`, is sent the `Response`, and returns a model::

    def status(self, flow: Flow) -> Exchange[Flow]:
        reply = yield Request.get("/flow/{}/result", flow.id)
        ...
        return attrs.evolve(flow, status=FlowStatus.FINISHED)
"""

from __future__ import annotations

import re
import secrets
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import attrs

from ..errors import InvalidOrder, UnexpectedResponse
from ..model.copies import with_changed
from ..model.secret import Secret
from ..model.validation import is_aware, plain_mapping, text_fault
from .body import Body, FilePart, FileSource, body_of
from .decoding import decode

T = TypeVar("T")

Exchange: TypeAlias = Generator["Request", "Response", T]
"""What an operation of a plugin is: requests out, responses in, a model at the end."""

Query: TypeAlias = tuple[tuple[str, str], ...]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_DEEPEST = 64
_LONGEST_SEGMENT = 1000
_DROPPED = re.compile(r"/\.{1,2}(/|$)")
_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def fill_path(template: str, *segments: str) -> str:
    """Put each segment, percent-encoded (RFC 3986 section 3.3), where `{}` stands in `template`.

    A value stays one segment whatever it holds; an empty one, `.` and `..` would change the path and raise InvalidOrder,
    as do one with half a surrogate pair and one longer than 1000 characters. Raises ValueError where there are not as many
    segments as `{}`.
    """
    parts = template.split("{}")
    if len(parts) - 1 != len(segments):
        raise ValueError(f"the path {template!r} has room for {len(parts) - 1} segments and is given {len(segments)}")
    path = [parts[0]]
    for segment, after in zip(segments, parts[1:], strict=True):
        if segment in ("", ".", ".."):
            raise InvalidOrder("an id that goes into a path is empty or a dot segment", fields=("id",))
        if text_fault(segment, _LONGEST_SEGMENT, blank=True, controls=True):
            raise InvalidOrder("an id that goes into a path is not text that can be sent", fields=("id",))
        path += [quote(segment, safe=""), after]
    return "".join(path)


def _query(query: Mapping[str, str] | Query) -> Query:
    return tuple(query.items()) if isinstance(query, Mapping) else tuple(query)


def _statuses(statuses: Iterable[int]) -> frozenset[int]:
    return frozenset(statuses)


Form: TypeAlias = tuple[tuple[str, "str | FilePart"], ...]


def _form(form: Mapping[str, str | FilePart] | Form) -> Form:
    return tuple(form.items()) if isinstance(form, Mapping) else tuple(form)


@attrs.frozen(kw_only=True)
class Request:
    """One call to the vendor, relative to a base URL of the account.

    `path` begins with one slash and is put behind the base URL: what RFC 3986 section 3.3 lets stand in a path; anything
    else, such as a whole address or a query, raises ValueError. `query` is apart, its values are texts (InvalidOrder for
    one that cannot be sent). `server` names one of the adapter's `servers` (see `ServersProtocol`) where the call does not go
    to `base_url`.

    The body is one of `json`; `form` (fields that are sent URL-encoded, or as multipart/form-data (RFC 7578) where a
    `FilePart` is among them); or `content`, bytes or a `FileSource`, with a `content_type`. `accept` names statuses outside
    2xx that the operation wants to read itself instead of having them raised; a web page is raised all the same. `reads`
    says that the call changes nothing (true for GET and HEAD; some vendors read by POST, too), `idempotent` that making it
    twice does no harm (true for what reads, PUT and DELETE).
    With `signed` false the account's own credentials are left off. `headers` may hold secrets. `template` is the path without
    the values in it, for those who count and trace. `streamed` is for `download` alone: a successful answer's body goes to the
    platform's file and is not in `Response.content`.

    `address` is set by `fetch`.
    """

    method: str
    path: str
    template: str = attrs.field()
    query: Query = attrs.field(default=(), converter=_query, repr=False)
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    json: Any = attrs.field(default=None, repr=False, hash=False)
    form: Form = attrs.field(default=(), converter=_form, repr=False)
    content: bytes | FileSource | None = attrs.field(default=None, repr=False)
    content_type: str | None = None
    server: str | None = None
    address: Secret | None = None
    accept: frozenset[int] = attrs.field(default=frozenset(), converter=_statuses)
    reads: bool = attrs.field()
    idempotent: bool = attrs.field()
    signed: bool = True
    streamed: bool = False
    _drawn: list[str] = attrs.field(factory=list, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        bodies = [self.json is not None, bool(self.form), self.content is not None]
        if sum(bodies) > 1:
            raise ValueError("give json, form or content, one of them")
        if (self.content is None) != (self.content_type is None):
            raise ValueError("give content together with its content_type, such as 'image/jpeg'")
        if not _PATH.fullmatch(self.path):
            raise ValueError(
                f"the path of {self.template!r} must begin with one slash and hold printable ASCII; no address, no query"
            )
        if _DROPPED.search(self.path):
            raise ValueError(f"the path of {self.template!r} must have no segment '.' or '..'")
        for name, value in self.query:
            if not isinstance(value, str) or text_fault(value, len(value), blank=True, controls=True):
                raise InvalidOrder(f"the value of {name!r} in the query is not text that can be sent", fields=(name,))

    @template.default
    def _by_path(self) -> str:
        return self.path

    @reads.default
    def _by_method(self) -> bool:
        return self.method in ("GET", "HEAD")

    @idempotent.default
    def _by_reading(self) -> bool:
        return self.reads or self.method in _SAFE_METHODS

    @classmethod
    def get(cls, path: str, *segments: str, **more: Any) -> Request:
        """`GET` of a path, each `{}` of which is filled with an encoded segment. `more` are fields of `Request`."""
        return cls(method="GET", path=fill_path(path, *segments), template=path, **more)

    @classmethod
    def post(cls, path: str, *segments: str, **more: Any) -> Request:
        """`POST` of a path, each `{}` of which is filled with an encoded segment. `more` are fields of `Request`."""
        return cls(method="POST", path=fill_path(path, *segments), template=path, **more)

    @classmethod
    def put(cls, path: str, *segments: str, **more: Any) -> Request:
        """`PUT` of a path, each `{}` of which is filled with an encoded segment. `more` are fields of `Request`."""
        return cls(method="PUT", path=fill_path(path, *segments), template=path, **more)

    @classmethod
    def patch(cls, path: str, *segments: str, **more: Any) -> Request:
        """`PATCH` of a path, each `{}` of which is filled with an encoded segment. `more` are fields of `Request`."""
        return cls(method="PATCH", path=fill_path(path, *segments), template=path, **more)

    @classmethod
    def delete(cls, path: str, *segments: str, **more: Any) -> Request:
        """`DELETE` of a path, each `{}` of which is filled with an encoded segment. `more` are fields of `Request`."""
        return cls(method="DELETE", path=fill_path(path, *segments), template=path, **more)

    @classmethod
    def fetch(cls, address: str | Secret, *, method: str = "GET", signed: bool = False, **more: Any) -> Request:
        """A call to a whole address out of the vendor's answer, such as a pre-signed one, which is a secret.

        The core sends it only to the hosts of the adapter's `allowed_hosts` (see `AllowedHostsProtocol`) and to its own
        servers, by HTTPS. Without the account's credentials, unless `signed`. Raises UnexpectedResponse where it is no plain
        web address.
        """
        from .urls import parse_url  # few vendors have such addresses

        text = address.reveal() if isinstance(address, Secret) else address
        try:
            parse_url(text)
        except ValueError:
            raise UnexpectedResponse("the response gives an address that is not a valid web address") from None
        return cls(method=method, path="/", template=FETCHED, address=Secret(text), signed=signed, **more)

    @property
    def nonce(self) -> str:
        """32 random hexadecimal digits for vendors that sign one: the same in all copies for one attempt, others for the
        next attempt."""
        if not self._drawn:
            self._drawn.append(secrets.token_hex(16))
        return self._drawn[0]

    def with_fresh_nonce(self) -> Request:
        """The same request for one more attempt."""
        return with_changed(self, _drawn=[]) if self._drawn else self

    @property
    def target(self) -> str:
        """Path and query exactly as sent (the request target of RFC 9112 section 3.2.1, below the base URL)."""
        if self.address is not None:
            parts = urlsplit(self.address.reveal())
            return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path

    def with_headers(self, headers: Mapping[str, str | Secret]) -> Request:
        """The same request with further headers."""
        return with_changed(self, headers={**self.headers, **headers})

    def with_query(self, query: Mapping[str, str]) -> Request:
        """The same request with further parameters in the query, such as a vendor's nonce and time."""
        return attrs.evolve(self, query=(*self.query, *query.items()))

    @cached_property
    def body(self) -> Body:
        """Media type, length and bytes, exactly as sent. Raises TypeError or ValueError for what cannot be sent."""
        return body_of(self)

    def body_bytes(self) -> bytes:
        """The body exactly as sent, for vendors that sign it. A file in it is read whole; see `body_chunks`."""
        return b"".join(self.body.chunks())

    def body_chunks(self) -> Iterator[bytes]:
        """The same in pieces, so that a large file is never whole in memory."""
        return self.body.chunks()


FETCHED = "(an address from an answer)"
"""The template of requests that `Request.fetch` made."""


@attrs.frozen(kw_only=True)
class Response:
    """The vendor's answer: `status`, `headers` (names in lower case), bounded `content`. `received_at` is aware, UTC."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    content: bytes = attrs.field(default=b"", repr=False)
    received_at: datetime = attrs.field(validator=is_aware)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether this is a web page or XML: of a load balancer, a firewall, a maintenance, and not the vendor's own answer.

        With a success only a web page is one: an interface may speak XML.
        """
        is_html = self.headers.get("content-type", "").strip().lower().startswith("text/html")
        is_marked_up = self.content.removeprefix(BOM_UTF8).lstrip()[:1] == b"<"
        return (is_html and is_marked_up) if self.is_success else (is_html or is_marked_up)

    @property
    def is_line(self) -> bool:
        """Whether this is plain text, such as the "404 page not found" of a proxy that knows no such address."""
        kind = self.headers.get("content-type", "").strip().lower()
        return kind.startswith("text/plain") and bool(self.content.strip()) and self.json_object() is None

    def json(self) -> Any:
        """The body as JSON data. Raises UnexpectedResponse when it is anything else, or nested more than 64 deep."""
        try:
            return self._data
        except _TooDeep:
            raise UnexpectedResponse("the response is nested too deep", status=self.status) from None
        except ValueError:
            kind = self.headers.get("content-type", "no content type").split(";")[0]
            raise UnexpectedResponse(f"the response is not JSON ({kind})", status=self.status) from None

    def json_object(self) -> dict[str, Any] | None:
        """The body if it is a JSON object, None for anything else. Never raises."""
        try:
            return _object_or_none(self._data)
        except ValueError:
            return None

    def structure(self, cls: type[T]) -> T:
        """The body as an attrs class of the plugin. Unknown keys are ignored; UnexpectedResponse names what does not fit."""
        from .structuring import structure  # cattrs is loaded only by those who use it

        return structure(self.json(), cls, status=self.status)

    @cached_property
    def _data(self) -> Any:
        """Decoded once, and the same object for everybody who asks: it is read and never changed. Raises ValueError."""
        return _decoded(self.content)


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object that the bytes are, None for anything else, also for one nested more than 64 deep."""
    try:
        return _object_or_none(_decoded(content))
    except ValueError:
        return None


class _TooDeep(ValueError):
    """JSON that is nested more than 64 deep."""


def _decoded(content: bytes) -> Any:
    data = decode(content)
    if _is_too_deep(data, content):
        raise _TooDeep
    return data


def _object_or_none(data: Any) -> dict[str, Any] | None:
    return data if isinstance(data, dict) else None


class NotAccepted(Exception):
    """Raise it for an answer that `Request.accept` let through and that turns out to be an error: the core makes it one."""

    def __init__(self, request: Request, response: Response) -> None:
        super().__init__(response.status)
        self.request = request
        self.response = response


_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_too_deep(data: Any, content: bytes) -> bool:
    """Counts brackets, then peels them pair by pair; only what is still there afterwards is looked at in earnest."""
    brackets = content.translate(None, _ALL_BUT_BRACKETS)
    if len(brackets) <= _DEEPEST:
        return False
    for _ in range(_DEEPEST // 2):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return _deeper_than(data, _DEEPEST)


def _deeper_than(data: Any, depth: int) -> bool:
    layer = [data]
    for _ in range(depth):
        layer = [
            item
            for holder in layer
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, (dict, list))
        ]
        if not layer:
            return False
    return True
