"""Tokens: who is believed, what they may claim, and how keys come and go."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.clock import Stamp
from shared.errors import Unauthenticated
from shared.identity import Issuer, Verifier
from shared.identity.keys import Keys, parse
from shared.identity.tokens import read_issuers

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
ACTOR_KEY = bytes(range(32))
RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"})
OTHER = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"})
ISSUER = "https://login.example"


class Still:
    simulated = True

    def __init__(self) -> None:
        self.wall = NOW

    def now(self) -> Stamp:
        return Stamp(self.wall, self.wall)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def issuer(**changed: Any) -> Issuer:
    given: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": "jembatan",
        "regions": ("13.74",),
        "roles": ("people_officer", "desk", "agency_officer", "vendor_user", "inspector"),
        "jwks_file": "jwks.json",
    } | changed
    return Issuer(**given)


def token(key: Any = EC, *, alg: str = "", header: dict[str, Any] | None = None, drop: tuple[str, ...] = (), **claims: Any) -> str:
    body = {
        "iss": ISSUER,
        "aud": "jembatan",
        "sub": "budi",
        "exp": int(NOW.timestamp()) + 600,
        "roles": ["people_officer"],
        "regions": ["13.74"],
    } | claims
    for name in drop:
        body.pop(name)
    algorithm = alg or ("RS256" if key.key_type == "RSA" else "ES256")
    return jwt.encode({"alg": algorithm, "kid": key.kid} | (header or {}), body, key, algorithms=[algorithm])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_bytes(key_set(RSA, EC))
    return tmp_path


@pytest.fixture
def verifier(folder: Path) -> Verifier:
    file = folder / "issuers.json"
    file.write_text(
        json.dumps(
            [
                {
                    "issuer": ISSUER,
                    "audience": "jembatan",
                    "jwks_file": "jwks.json",
                    "regions": ["13.74"],
                    "roles": ["people_officer", "desk", "agency_officer", "vendor_user", "inspector"],
                }
            ]
        )
    )
    return Verifier(file, folder / "cache", ACTOR_KEY, Still())


async def slug(verifier: Verifier, text: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(text)
    assert caught.value.detail == ""
    return caught.value.slug


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
async def test_a_good_token_becomes_a_scope(verifier: Verifier, key: Any) -> None:
    caller = await verifier.verify(token(key))
    assert caller.scope.roles == {"people_officer"}
    assert caller.scope.regions == {"13.74"}
    assert caller.scope.may("people.read")
    assert caller.issuer == ISSUER
    assert "budi" not in caller.scope.actor


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "https://evil.example"}, "unknown-issuer"),
        ({"aud": "other"}, "token-refused"),
        ({"aud": ["other", 3]}, "token-refused"),
        ({"exp": int(NOW.timestamp()) - 60}, "token-expired"),
        ({"exp": "tomorrow"}, "token-refused"),
        ({"exp": True}, "token-refused"),
        ({"nbf": int(NOW.timestamp()) + 600}, "token-refused"),
        ({"iat": int(NOW.timestamp()) + 600}, "token-refused"),
        ({"sub": ""}, "token-refused"),
        ({"sub": 7}, "token-refused"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(verifier: Verifier, claims: dict[str, Any], expected: str) -> None:
    assert await slug(verifier, token(**claims)) == expected


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "sub"])
async def test_a_token_without_a_needed_claim_is_refused(verifier: Verifier, name: str) -> None:
    assert await slug(verifier, token(drop=(name,))) in {"token-refused", "unknown-issuer"}


async def test_audience_may_be_a_list(verifier: Verifier) -> None:
    assert (await verifier.verify(token(aud=["x", "jembatan"]))).scope.roles


async def test_a_signature_by_another_key_is_refused(verifier: Verifier) -> None:
    assert await slug(verifier, token(OTHER)) == "bad-token"


async def test_an_unknown_key_and_a_missing_key_id_are_refused(verifier: Verifier) -> None:
    assert await slug(verifier, token(header={"kid": "nope"})) == "unknown-key"
    bare = jwt.encode({"alg": "ES256"}, {"iss": ISSUER}, EC, algorithms=["ES256"])
    assert await slug(verifier, bare) == "bad-token"


async def test_none_and_symmetric_algorithms_are_refused(verifier: Verifier) -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"iss": ISSUER, "aud": "jembatan", "sub": "x", "exp": int(NOW.timestamp()) + 60}
    assert await slug(verifier, f"{part({'alg': 'none', 'kid': 'e1'})}.{part(claims)}.") == "bad-token"
    secret = OctKey.import_key(key_set(RSA)[:64])
    forged = jwt.encode({"alg": "HS256", "kid": "r1"}, claims, secret, algorithms=["HS256"])
    assert await slug(verifier, forged) == "bad-token"
    # RS256 header over an EC key and the other way round
    assert await slug(verifier, token(RSA, header={"kid": "e1"})) == "bad-token"


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "....", "a" * 20_000, "W10.W10.", "é.é.é"])
async def test_what_is_no_token_is_refused(verifier: Verifier, text: str) -> None:
    assert await slug(verifier, text) in {"bad-token", "unknown-issuer"}


async def test_a_changed_payload_is_refused(verifier: Verifier) -> None:
    head, body, sign = token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["regions"] = ["15.05"]
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    assert await slug(verifier, f"{head}.{forged}.{sign}") == "bad-token"


async def test_claims_beyond_the_issuers_binding_do_not_count(verifier: Verifier) -> None:
    caller = await verifier.verify(token(roles=["people_officer", "auditor", "root"], regions=["13.74", "15.05", "13"]))
    assert caller.scope.roles == {"people_officer"}
    assert caller.scope.regions == {"13.74"}


async def test_a_narrowed_role_counts_only_with_what_narrows_it(verifier: Verifier) -> None:
    bare = await verifier.verify(token(roles=["vendor_user", "agency_officer"]))
    assert bare.scope.roles == frozenset()
    vendor = "0192d3a4-7c1e-7b0a-9f3e-6a656d626174"
    full = await verifier.verify(token(roles=["vendor_user", "agency_officer"], vendor=vendor, agencies=["DLH"]))
    assert full.scope.roles == {"vendor_user", "agency_officer"}
    assert str(full.scope.vendor) == vendor
    assert full.scope.agencies == {"DLH"}


async def test_a_province_needs_an_issuer_of_the_province_and_a_province_wide_role(folder: Path) -> None:
    wide = Verifier([issuer(regions=("13",), jwks_file=str(folder / "jwks.json"))], folder, ACTOR_KEY, Still())
    inspector = await wide.verify(token(roles=["inspector"], regions=["13"]))
    assert inspector.scope.covers("13.74")
    officer = await wide.verify(token(regions=["13", "13.71"]))
    assert officer.scope.regions == {"13.71"}


async def test_claim_names_are_mapped_and_may_be_paths_or_words(folder: Path) -> None:
    file = folder / "issuers.json"
    file.write_text(
        json.dumps(
            [
                {
                    "issuer": ISSUER,
                    "audience": "jembatan",
                    "jwks_file": "jwks.json",
                    "regions": ["13.74"],
                    "roles": ["desk"],
                    "claims": {"subject": "nip", "roles": "realm_access.roles", "regions": "https://x.example/wilayah"},
                }
            ]
        )
    )
    mapped = Verifier(file, folder, ACTOR_KEY, Still())
    given: dict[str, Any] = {"nip": "u1", "realm_access": {"roles": "desk other"}, "https://x.example/wilayah": ["13.74"]}
    caller = await mapped.verify(token(drop=("roles", "regions"), **given))
    assert caller.scope.roles == {"desk"}
    assert caller.scope.regions == {"13.74"}


async def test_the_pseudonym_is_stable_and_differs_by_issuer_and_key(folder: Path) -> None:
    path = str(folder / "jwks.json")
    both = [issuer(jwks_file=path), issuer(issuer="https://two.example", jwks_file=path)]
    one = Verifier(both, folder, ACTOR_KEY, Still())
    other = Verifier(both, folder, bytes(32), Still())
    first = (await one.verify(token())).scope.actor
    assert first == (await one.verify(token(RSA))).scope.actor
    assert first != (await one.verify(token(iss="https://two.example"))).scope.actor
    assert first != (await other.verify(token())).scope.actor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '[{"issuer": "x"}]',
        '[{"issuer":"x","audience":"y","regions":[],"roles":["root"],"jwks_file":"k"}]',
        '[{"issuer":"x","audience":"y","regions":[],"roles":[]}]',
        '[{"issuer":"x","audience":"y","regions":[],"roles":[],"jwks_file":"k","extra":1}]',
    ],
)
def test_a_wrong_list_of_issuers_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "issuers.json").write_text(text)
    with pytest.raises(ValueError):
        read_issuers(tmp_path / "issuers.json")
    with pytest.raises(ValueError):
        read_issuers(tmp_path / "none.json")


@pytest.mark.filterwarnings("ignore:Key size")
def test_weak_foreign_and_encryption_keys_are_passed_over() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"}, auto_kid=False)
    curve = ECKey.generate_key("P-384", {"kid": "p384"})
    hidden = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})
    body = json.loads(key_set(weak, curve, hidden, EC))
    body["keys"] += [{"kty": "oct", "kid": "o", "k": "AAAA"}, {"kty": "EC", "kid": "broken", "crv": "P-256"}, 7]
    assert set(parse(json.dumps(body).encode())) == {"e1"}


async def test_a_key_file_is_read_again_when_it_changes(folder: Path, verifier: Verifier) -> None:
    await verifier.verify(token())
    (folder / "jwks.json").write_bytes(key_set(RSA))
    assert await slug(verifier, token()) == "unknown-key"


class Server:
    def __init__(self) -> None:
        self.body = key_set(EC)
        self.status = 200
        self.calls = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.calls += 1
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, format: str, *args: object) -> None: ...

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/jwks"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


async def test_an_unknown_key_is_fetched_at_most_once_a_minute(server: Server, tmp_path: Path) -> None:
    clock = Still()
    remote = Verifier([issuer(jwks_file="", jwks_url=server.url)], tmp_path, ACTOR_KEY, clock)
    await remote.verify(token())
    assert server.calls == 1
    server.body = key_set(EC, RSA)
    for _ in range(5):
        assert await slug(remote, token(RSA)) == "unknown-key"
    assert server.calls == 1
    clock.wall = NOW + timedelta(seconds=61)
    await remote.verify(token(RSA))
    await remote.verify(token())
    assert server.calls == 2


async def test_keys_on_disk_carry_a_restart_while_the_issuer_is_away(server: Server, tmp_path: Path) -> None:
    first = Verifier([issuer(jwks_file="", jwks_url=server.url)], tmp_path, ACTOR_KEY, Still())
    await first.verify(token())
    server.status = 500
    again = Verifier([issuer(jwks_file="", jwks_url=server.url)], tmp_path, ACTOR_KEY, Still())
    assert (await again.verify(token())).scope.roles


async def test_a_withdrawn_key_stops_counting_within_the_hour(server: Server, tmp_path: Path) -> None:
    clock = Still()
    remote = Verifier([issuer(jwks_file="", jwks_url=server.url)], tmp_path, ACTOR_KEY, clock)
    await remote.verify(token())
    server.body = key_set(RSA)
    clock.wall = NOW + timedelta(seconds=3601)
    assert await slug(remote, token(exp=int(NOW.timestamp()) + 7200)) == "unknown-key"


def test_keys_come_over_https_only() -> None:
    with pytest.raises(ValueError):
        Keys(url="http://login.example/jwks", file=None, cache=Path("x"))
