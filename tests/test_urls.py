"""Web addresses are read as browsers read them, or not at all."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.gateway.documents import check_url
from idv_core.plugin.links import trusted_link
from idv_core.plugin.urls import checked_url, is_private, parse_url

BASE, HOSTS = "https://api.vendor.example", ("*.vendor.example", "pages.example")

# What browsers (WHATWG URL) read otherwise than it looks, or what nobody sends in earnest.
ODD = [
    "https://evil.example\\@x.vendor.example/a",
    "https://evil.example\\.vendor.example/",
    "https://evil.example/\\x.vendor.example",
    "https:\\\\x.vendor.example/",
    "https:/x.vendor.example/",
    "https:x.vendor.example",
    "//x.vendor.example/",
    "https:///x.vendor.example/",
    "https://u:p@x.vendor.example/",
    "https://@x.vendor.example/",
    "https://x.vendor.example:/",
    "https://x.vendor.example:abc/",
    "https://x.vendor.example:99999/",
    "https://x.vendor.example:0/",
    "https://.vendor.example/",
    "https://x..vendor.example/",
    "https://x.vendor.example./",
    "https://-x.vendor.example/",
    "https://x_y.vendor.example/",
    "https://x%2evendor.example/",
    "https://x.vendor.example%00.evil.example/",
    "https://ｘ.vendor.example/",
    "https://x。vendor.example/",
    "https://١٢٧.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://x.vendor.example/\u202eabc",
    "https://x.vendor.example/спасибо",
    " https://x.vendor.example/",
    "https://x.vendor.example/ ",
    "https://x.vendor.example/a b",
    "https://x.vendor.example/\r\nX: y",
    "https://x.vendor.example/\t",
    "ht\ntps://x.vendor.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://[::1",
    "https://[::1%25eth0]/",
    "https://[x.vendor.example]/",
    "https://1.2.3.4.5/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://x.vendor.example.0x7f/",
    "",
    "https://" + "a" * 64 + ".vendor.example/",
    "https://x.vendor.example/" + "a" * 10_000,
]


@pytest.mark.parametrize("text", ODD)
def test_odd_addresses_are_refused_everywhere(text: str) -> None:
    with pytest.raises(ValueError, match="it") as caught:
        parse_url(text)
    assert not text or text not in str(caught.value)
    with pytest.raises(ValueError, match="it"):
        checked_url(text)
    with pytest.raises(UnexpectedResponse):
        trusted_link(text, BASE, HOSTS)
    with pytest.raises(InvalidOrder) as refused:
        check_url("d", text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ("https://x.vendor.example/a?b=c%2Fd&e=f#g", "https://x.vendor.example/a?b=c%2Fd&e=f#g"),
        ("HTTPS://X.Vendor.Example", "https://x.vendor.example"),
        ("https://x.vendor.example:443/a", "https://x.vendor.example/a"),
        ("https://x.vendor.example?a=b", "https://x.vendor.example/?a=b"),
        ('https://x.vendor.example/a"b<c>d|{e}^`f', "https://x.vendor.example/a%22b%3Cc%3Ed%7C%7Be%7D%5E%60f"),
        ("https://pages.example/", "https://pages.example/"),
        ("https://xn--80ak6aa92e.vendor.example/", "https://xn--80ak6aa92e.vendor.example/"),
    ],
)
def test_plain_ones_are_put_together_anew(given_: str, told: str) -> None:
    assert trusted_link(given_, BASE, HOSTS) == checked_url(given_) == check_url("d", given_) == told


@pytest.mark.parametrize(
    "link",
    [
        "https://vendor.example/",
        "https://xvendor.example/",
        "https://x.vendor.example.evil.example/",
        "https://evil.example/x.vendor.example",
        "https://evil.example/?x.vendor.example",
        "https://evil.example#.vendor.example",
        "http://x.vendor.example/",
        "https://x.vendor.example:8443/",
        "https://x.vendor.example:22/",
        "http://127.0.0.1:8000/",
    ],
)
def test_links_lead_to_the_vendor_by_https(link: str) -> None:
    with pytest.raises(UnexpectedResponse, match="link_hosts"):
        trusted_link(link, BASE, HOSTS)


def test_an_emulators_links_lead_to_this_machine() -> None:
    for link in (
        "http://127.0.0.1:8001/a",
        "http://localhost:9/a",
        "http://[::1]:8001/a",
        "https://x.vendor.example/a",
    ):
        assert trusted_link(link, "http://127.0.0.1:8000", HOSTS) == link
    assert trusted_link("https://10.0.0.7:8443/a", "https://10.0.0.7:8443/v1", ()) == "https://10.0.0.7:8443/a"
    with pytest.raises(UnexpectedResponse):
        trusted_link("http://evil.example:8000/a", "http://127.0.0.1:8000", HOSTS)


def test_a_base_that_is_no_plain_address_trusts_nobody() -> None:
    with pytest.raises(UnexpectedResponse, match="base_url"):
        trusted_link("https://x.vendor.example/", "https://my_vendor.example", HOSTS)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("https://platform.example/done", True),
        ("http://platform.example/done", False),
        ("https://platform.example:8443/done", False),
        ("http://localhost:3000/done", True),
        ("http://127.0.0.1:3000/done", True),
        ("https://[::1]:3000/done", True),
    ],
)
def test_return_addresses(text: str, taken: bool) -> None:
    if taken:
        assert checked_url(text) == text
    else:
        with pytest.raises(ValueError, match="must"):
            checked_url(text)


@pytest.mark.parametrize(
    "host",
    [
        "[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[64:ff9b:1::808:808]", "[2002:7f00:1::]", "[2002:a00:1::1]",
        "[::127.0.0.1]", "[::8.8.8.8]", "[::ffff:10.0.0.1]", "[::ffff:0:8.8.8.8]", "[2001:0:4136:e378::1]",
        "[fe80::1]", "[fec0::1]", "[fd00::1]", "[ff02::1]", "[::]", "[::1]", "[100::1]", "[2001:db8::1]",
        "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "0.0.0.0", "100.64.0.1", "169.254.169.254",
        "192.168.1.1", "172.16.0.1", "198.18.0.1",
        "localhost", "metadata", "x.local", "x.internal", "x.lan", "x.corp", "x.home", "x.localdomain", "x.intranet",
        "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "vault.service.consul", "x.home.arpa",
        "host.docker.internal", "x.LOCAL", "printer.test",
    ],
)  # fmt: skip
def test_private_hosts(host: str) -> None:
    assert is_private(host)
    with pytest.raises(InvalidOrder, match="private network"):
        check_url("d", f"https://{host}/x")


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "[2606:4700:4700::1111]",
        "[64:ff9b::808:808]",
        "[2002:808:808::1]",
        "files.example.com",
        "local.example",
    ],
)
def test_public_hosts(host: str) -> None:
    assert not is_private(host)
    assert check_url("d", f"https://{host}/x")


@given(st.ip_addresses(v=4))
@example(ipaddress.IPv4Address("127.0.0.1"))
def test_an_ipv4_address_inside_an_ipv6_one_is_what_counts(inner: ipaddress.IPv4Address) -> None:
    for shape in (0x64FF9B << 96, 0xFFFF << 32):
        if shape >> 96:
            shape = int(ipaddress.IPv6Address("64:ff9b::"))
        outer = ipaddress.IPv6Address(shape | int(inner))
        assert is_private(f"[{outer}]") is is_private(str(inner)), outer
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (int(inner) << 80) | 1)
    assert is_private(f"[{six_to_four}]") is is_private(str(inner))


PIECES = st.sampled_from(
    ["https://", "http://", "//", "\\", "/", "@", ":", "?", "#", ".", "..", "x", "evil.example", "x.vendor.example", "[", "]", "%2e",
     "%00", " ", "\t", "\n", "。", "①", "\u202e", "443", "8443", "0x7f", "127.0.0.1", "::1", "user", "-", "_"]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=8).map("".join)
    | st.lists(PIECES, max_size=6).map(lambda parts: "https://" + "".join(parts))
)
def test_what_is_taken_leads_where_it_seems_to(text: str) -> None:
    """However the pieces come together: a link that is taken is read alike by all, and leads to the vendor."""
    try:
        link = trusted_link(text, BASE, HOSTS)
    except UnexpectedResponse:
        return
    assert link.isascii()
    assert link.isprintable()
    assert not set(link) & set('\\ "<>')
    parts = urlsplit(link)
    assert parts.scheme == "https"
    assert parts.username is None
    assert parts.port is None
    host = link.removeprefix("https://").split("/")[0]
    assert host == parts.hostname
    assert host == "pages.example" or host.endswith("vendor.example")
    assert parse_url(link).text == link, "reading it again changes nothing"
