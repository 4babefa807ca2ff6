"""The vendors of docs/cookbook.md, as their pages say: emulators that are strict where a plugin may go wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from idv_core.testing import EmulatedRequest, EmulatedResponse, Emulator, Refused

SECRET = "secret-of-the-cookbook"


def refused(status: int, error: str) -> Refused:
    return Refused(EmulatedResponse(status, {"error": error}))


class OfToday(Emulator):
    """An emulator in real time."""

    def __init__(self) -> None:
        super().__init__(self)

    def now(self) -> datetime:
        return datetime.now(UTC)


class HalyardVendor(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.files: list[bytes] = []
        self.nonces: list[str] = []
        self.state = {"state": "working"}
        self.lost = 0

    def routes(self) -> list[Any]:
        return [
            ("POST", "/v1/cases", self._open),
            ("POST", "/v1/cases/{case}/files", self._file),
            ("GET", "/v1/cases/{case}", lambda call: self._checked(call, EmulatedResponse(200, self.state))),
        ]

    def _checked(self, call: EmulatedRequest, answer: EmulatedResponse) -> EmulatedResponse:
        given = call.headers
        digest = hashlib.sha256(call.body).hexdigest()
        text = "\n".join([call.method, call.target, given["x-time"], given["x-nonce"], digest])
        wanted = hmac.digest(SECRET.encode(), text.encode(), "sha256").hex()
        if given["x-key"] != "key" or given["x-signature"] != wanted:
            raise refused(401, "bad_signature")
        if given["x-nonce"] in self.nonces:
            raise refused(401, "nonce_used")
        self.nonces.append(given["x-nonce"])
        if self.lost:
            # it has seen the nonce, and its answer does not arrive
            self.lost -= 1
            return EmulatedResponse(503, {})
        return answer

    def _open(self, call: EmulatedRequest) -> EmulatedResponse:
        if call.query != {"region": "eu"} or not call.json().get("reference"):
            raise refused(400, "bad_request")
        return self._checked(call, EmulatedResponse(201, {"case": "h 1"}))

    def _file(self, call: EmulatedRequest) -> EmulatedResponse:
        self._checked(call, EmulatedResponse())
        file = call.form["file"]
        assert isinstance(file, bytes)
        self.files.append(file)
        return EmulatedResponse(201, {"file": f"f-{len(self.files)}"})


class TamarLogin(OfToday):
    def routes(self) -> list[Any]:
        return [("POST", "/oauth/token", self._token)]

    def _token(self, call: EmulatedRequest) -> EmulatedResponse:
        basic = base64.b64encode(f"client:{SECRET}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {basic}" or call.form != {"grant_type": "client_credentials"}:
            raise refused(401, "invalid_client")
        return EmulatedResponse(200, {"access_token": f"t-{len(self.calls)}", "expires_in": 3600})


class TamarVendor(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.good_token = "t-1"
        self.status = "waiting"

    def routes(self) -> list[Any]:
        return [("PUT", "/checks/{reference}", self._put), ("GET", "/checks/{id}", self._get)]

    def _check(self, call: EmulatedRequest) -> None:
        if call.headers.get("authorization") != f"Bearer {self.good_token}":
            raise refused(401, "token_expired")

    def _put(self, call: EmulatedRequest) -> EmulatedResponse:
        self._check(call)
        id = f"check-{call.params['reference']}"
        return EmulatedResponse(200, {"id": id, "page": f"https://go.tamar.example/{id}"})

    def _get(self, call: EmulatedRequest) -> EmulatedResponse:
        self._check(call)
        return EmulatedResponse(200, {"status": self.status})


class QuayStorage(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, bytes] = {}

    def routes(self) -> list[Any]:
        return [("PUT", "/put/{upload}", self._put)]

    def _put(self, call: EmulatedRequest) -> EmulatedResponse:
        # storages refuse a pre-signed address together with other credentials
        if "authorization" in call.headers or call.query != {"signature": SECRET}:
            return EmulatedResponse(400, content=b"<Error/>", type="application/xml")
        self.stored[call.params["upload"]] = call.body
        return EmulatedResponse(200, content=b"")


class QuayVendor(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.storage_url = ""
        self.state = {"state": "open"}

    def routes(self) -> list[Any]:
        return [
            ("POST", "/sessions", lambda call: self._checked(call, EmulatedResponse(201, {"session": "q-1"}))),
            ("POST", "/sessions/{session}/uploads", self._upload),
            ("GET", "/sessions/{session}", lambda call: self._checked(call, EmulatedResponse(200, self.state))),
        ]

    def _checked(self, call: EmulatedRequest, answer: EmulatedResponse) -> EmulatedResponse:
        if call.headers.get("authorization") != f"Key {SECRET}":
            raise refused(401, "wrong_key")
        return answer

    def _upload(self, call: EmulatedRequest) -> EmulatedResponse:
        upload = f"{call.json()['kind']}-1"
        put_to = f"{self.storage_url}/put/{upload}?signature={SECRET}"
        return self._checked(call, EmulatedResponse(201, {"upload": upload, "put_to": put_to}))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SignetVendor(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.state = "pending"
        self.notify: str | None = None
        self.keys = {"k-1": b"first key" * 4, "k-2": b"other key" * 4}

    def routes(self) -> list[Any]:
        return [
            ("POST", "/inquiries", self._open),
            (
                "GET",
                "/inquiries/{inquiry}",
                lambda call: self._checked(call, EmulatedResponse(200, {"state": self.state})),
            ),
            ("GET", "/webhook-keys/{kid}", self._key),
        ]

    def _checked(self, call: EmulatedRequest, answer: EmulatedResponse) -> EmulatedResponse:
        if call.headers.get("authorization") != f"Key {SECRET}":
            raise refused(401, "wrong_key")
        return answer

    def _open(self, call: EmulatedRequest) -> EmulatedResponse:
        self.notify = call.json()["notify"]
        return self._checked(call, EmulatedResponse(201, {"inquiry": "s-1"}))

    def _key(self, call: EmulatedRequest) -> EmulatedResponse:
        kid = call.params["kid"]
        if kid not in self.keys:
            raise refused(404, "no_such_key")
        key = {"kid": kid, "kty": "oct", "k": encoded(self.keys[kid])}
        return self._checked(call, EmulatedResponse(200, key))

    def jws(self, body: bytes, kid: str = "k-1", alg: str = "HS256", age: int = 0, key: bytes | None = None) -> str:
        head = encoded(json.dumps({"alg": alg, "kid": kid}).encode())
        told = {"iat": int(self.now().timestamp()) - age, "request_body_sha256": hashlib.sha256(body).hexdigest()}
        signed = f"{head}.{encoded(json.dumps(told).encode())}"
        return f"{signed}.{encoded(hmac.digest(key or self.keys[kid], signed.encode(), 'sha256'))}"


class ReturnoVendor(OfToday):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Any]:
        return [
            ("POST", "/verifications", self._open),
            ("POST", "/verifications/{id}/attempts", self._again),
            ("GET", "/verifications/{id}", self._get),
        ]

    def _open(self, call: EmulatedRequest) -> EmulatedResponse:
        return self._made({"id": "r-1", "attempt": 1, "previous": None})

    def _again(self, call: EmulatedRequest) -> EmulatedResponse:
        before = self.found[call.params["id"]]
        if any(one["previous"] == before["id"] for one in self.found.values()):
            raise refused(409, "already_retried")
        attempt = before["attempt"] + 1
        return self._made({"id": f"r-{attempt}", "attempt": attempt, "previous": before["id"]})

    def _made(self, given: dict[str, Any]) -> EmulatedResponse:
        more = {"state": "pending", "final": False, "by": None, "good_until": None}
        self.found[given["id"]] = {**given, **more}
        return EmulatedResponse(201, self.found[given["id"]])

    def _get(self, call: EmulatedRequest) -> EmulatedResponse:
        if call.headers.get("x-key") != SECRET:
            raise refused(401, "wrong_key")
        return EmulatedResponse(200, self.found[call.params["id"]])
