"""The stand-ins: issuer, clock, mail."""

import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiosmtplib
import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError
from joserfc.jwk import KeySet

from deploy.local.servers import ClockServer, Issuer, MailSink
from deploy.local.servers.issuer import Algorithm

START = datetime(2026, 1, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_token_validates_against_the_served_keys(tmp_path: Path, algorithm: Algorithm) -> None:
    issuer = Issuer("city", "https://id.example", tmp_path, algorithm)
    vendor = uuid4()
    async with issuer.serving() as url, httpx2.AsyncClient() as client:
        keys = KeySet.import_key_set((await client.get(url)).json())
    assert json.loads(issuer.jwks_path.read_text()) == keys.as_dict(private=False)
    assert "d" not in keys.as_dict()["keys"][0]
    token = jwt.decode(issuer.mint("budi", ["desk"], ["13.74"], agencies=["1.01"], vendor=vendor), keys, algorithms=[algorithm])
    assert token.header["kid"] == keys.keys[0].kid
    assert {"roles": ["desk"], "regions": ["13.74"], "agencies": ["1.01"], "vendor": str(vendor)}.items() <= (token.claims.items())
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": "https://id.example"},
        aud={"essential": True, "value": "jembatan"},
        sub={"essential": True, "value": "budi"},
        exp={"essential": True},
        jti={"essential": True},
    )
    registry.validate(token.claims)
    with pytest.raises(ExpiredTokenError):
        registry.validate(jwt.decode(issuer.mint("budi", [], [], ttl=-60), keys, algorithms=[algorithm]).claims)


def test_the_key_is_private_lasts_and_can_be_rotated(tmp_path: Path) -> None:
    first = Issuer("city", "https://id.example", tmp_path)
    again = Issuer("city", "https://id.example", tmp_path)
    keys = KeySet.import_key_set(json.loads(first.jwks_path.read_text()))
    jwt.decode(again.mint("budi", [], []), keys)
    assert (tmp_path / "city.key.json").stat().st_mode & 0o077 == 0
    again.rotate()
    renewed = KeySet.import_key_set(json.loads(first.jwks_path.read_text()))
    assert {key.kid for key in keys.keys}.isdisjoint(key.kid for key in renewed.keys)
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(again.mint("budi", [], []), keys)


def test_services_can_read_the_entry_of_the_issuer(tmp_path: Path) -> None:
    from shared.identity.tokens import read_issuers

    issuer = Issuer("city", "https://id.example", tmp_path)
    file = tmp_path / "issuers.json"
    file.write_text(json.dumps([issuer.trust(["desk"], ["13.74"])]))
    assert [(entry.issuer, entry.roles) for entry in read_issuers(file)] == [("https://id.example", ("desk",))]


async def test_business_time_stands_still_until_it_is_moved_with_the_token() -> None:
    async with ClockServer(START) as clock, httpx2.AsyncClient(base_url=clock.url) as client:
        assert (await client.get("/now")).json() == {"now": START.isoformat()}
        later = {"now": (START + timedelta(days=1)).isoformat()}
        for wrong in ({}, {"authorization": "Bearer nobody"}, {"authorization": f"Basic {clock.token}"}):
            assert (await client.put("/now", json=later, headers=wrong)).status_code == 401
        assert clock.now == START
        right = {"authorization": f"Bearer {clock.token}"}
        assert (await client.put("/now", json=later, headers=right)).status_code == 200
        assert clock.now == START + timedelta(days=1)
        assert (await client.get("/now")).json() == later
        assert (await client.put("/now", json={"now": START.isoformat()}, headers=right)).status_code == 409
        broken: object
        for broken in ({}, {"now": "tomorrow"}, {"now": "2026-02-01T00:00:00"}, [], {"now": 3}):
            assert (await client.put("/now", json=broken, headers=right)).status_code == 422
        assert clock.now == START + timedelta(days=1)


def _mail(to: str, subject: str, text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["X-Cause"] = "kota@example.id", to, subject, "c1"
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    return mail


async def _send(mail: EmailMessage, sink: MailSink) -> None:
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=urlsplit(sink.smtp_url).port)


async def test_mail_is_kept_and_found_by_recipient_and_number() -> None:
    async with MailSink().serving() as sink, httpx2.AsyncClient(base_url=sink.url) as client:
        await _send(_mail("Ani@example.id", "Penawaran kerja – baru", "Halo Ani"), sink)
        first = await sink.wait_for("ani@EXAMPLE.id")
        assert (first.number, first.subject, first.sender) == (1, "Penawaran kerja – baru", "kota@example.id")
        assert first.text.strip() == "Halo Ani" and "<p>Halo Ani</p>" in first.html
        assert first.headers["x-cause"] == "c1"
        await _send(_mail("ani@example.id", "Pengingat", "Lagi"), sink)
        await _send(_mail("tono@example.id", "Penawaran", "Halo Tono"), sink)
        assert (await sink.wait_for("ani@example.id", after=first.number)).subject == "Pengingat"
        assert [message.number for message in sink.messages()] == [1, 2, 3]
        assert [message.number for message in sink.messages(to="ani@example.id")] == [1, 2]
        answer = (await client.get("/messages", params={"to": "ani@example.id", "after": "1"})).json()
        assert [(message["number"], message["subject"]) for message in answer["messages"]] == [(2, "Pengingat")]


async def test_a_refused_recipient_is_told_so_and_nothing_is_kept() -> None:
    async with MailSink().serving() as sink:
        sink.refused["gone@example.id"] = "550 no such mailbox"
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await _send(_mail("gone@example.id", "Penawaran", "Halo"), sink)
        assert refused.value.recipients[0].code == 550
        assert sink.count == 0
