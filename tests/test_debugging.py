"""What an author sees: errors name the call, and IDV_DEBUG=1 keeps the plugin's frames."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from acme import Vendor, gateway, order

from idv_core import OutcomeUnknown, VendorError
from idv_core.errors import FlowNotFound, UnexpectedResponse

PROGRAM = """
import logging, traceback
import httpx
from acme import {gateway}
from idv_core import IdvError

logging.basicConfig(format="%(levelname)s %(message)s")

def vendor(request):
    return httpx.Response(200, json={{"token": "t"}} if request.url.path == "/token" else ["no object"])

idv = {gateway}(vendor, transport=httpx.MockTransport(vendor))
print("made")
try:
    {call}
except IdvError:
    traceback.print_exc()
"""
CALLS = {
    "gateway": "idv.status('acme-1/f-1')",
    "async_gateway": "import asyncio; asyncio.run(idv.status('acme-1/f-1'))",
}


def printed(kind: str, **environment: str) -> str:
    """What the program prints when a plugin breaks."""
    env = {name: value for name, value in os.environ.items() if name != "IDV_DEBUG"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), env.get("PYTHONPATH")]))
    program = PROGRAM.format(gateway=kind, call=CALLS[kind])
    run = subprocess.run([sys.executable, "-c", program], env={**env, **environment}, capture_output=True, text=True)
    assert run.stdout == "made\n", run.stderr
    return run.stderr


@pytest.mark.parametrize("kind", sorted(CALLS))
def test_by_default_no_frame_of_the_plugin_is_kept_and_nothing_is_said(kind: str) -> None:
    said = printed(kind)
    assert "PluginError: acme-1 status: bug in plugin 'acme': AttributeError at" in said
    assert "in result" not in said
    assert "WARNING" not in said


@pytest.mark.parametrize("kind", sorted(CALLS))
def test_debugging_keeps_the_plugins_frames_and_says_so_once_aloud(kind: str) -> None:
    said = printed(kind, IDV_DEBUG="1")
    assert said.startswith("WARNING IDV_DEBUG=1: errors keep their tracebacks, which hold personal data and secrets")
    assert said.count("WARNING") == 1
    frames, _, rest = said.partition("The above exception was the direct cause of the following exception")
    assert 'acme.py", line' in frames
    assert "in result" in frames
    assert "AttributeError: 'list' object has no attribute 'get'" in frames
    assert "PluginError: acme-1 status: bug in plugin 'acme'" in rest


def refused(status: int) -> Vendor:
    vendor = Vendor()
    vendor.answers["GET /flows"] = lambda request: httpx.Response(status, json={"code": "gone"})
    return vendor


class TestErrorsNameTheCall:
    """Method and template: what stands in the plugin's code, without a value of the path."""

    def test_an_answer_that_is_an_error(self) -> None:
        with pytest.raises(FlowNotFound) as caught:
            gateway(refused(404)).status("acme-1/f-secret")
        assert caught.value.request == "GET /flows/{}"
        assert str(caught.value).startswith(
            "acme-1 status: GET /flows/{}: the vendor does not know this flow or object (HTTP 404"
        )
        assert "f-secret" not in str(caught.value)

    def test_an_answer_that_is_not_understood(self) -> None:
        vendor = Vendor()
        vendor.answers["GET /people"] = lambda request: httpx.Response(200, json={"name": "no id"})
        with pytest.raises(
            UnexpectedResponse, match=r"^acme-1 recover: GET /people/\{\}: the response does not match Created"
        ):
            gateway(vendor).recover(order())

    def test_an_opening_of_which_nobody_knows(self) -> None:
        vendor = Vendor()
        vendor.answers["POST /flows"] = lambda request: httpx.Response(502)
        with pytest.raises(OutcomeUnknown, match=r"^acme-1 open: POST /flows: the response is inconclusive"):
            gateway(vendor).open(order())

    def test_a_token_that_is_refused(self) -> None:
        vendor = Vendor()
        vendor.answers["POST /token"] = lambda request: httpx.Response(403)
        with pytest.raises(VendorError) as caught:
            gateway(vendor).status("acme-1/f-1")
        assert caught.value.request == "POST /token"

    def test_no_call_no_name(self) -> None:
        assert VendorError("why").request is None
        assert str(VendorError("why", account="a", operation="open")) == "a open: why (not safe to retry unchanged)"
