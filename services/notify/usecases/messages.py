"""Letters: taken into hand, written, sealed, and what became of them."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.notify import domain, metrics, store
from services.notify.domain import (
    Letter,
    MessageState,
    QuestionState,
    Sending,
    Sent,
    Written,
)
from services.notify.usecases.common import WINDOW, deliver, fail, reach
from shared import timers
from shared.db import Tx
from shared.events.notify import MessageSent
from shared.ids import derived_id
from shared.privacy import Contact, Unreadable, Vault
from shared.regulation import Pack, Window, rules
from shared.timers import Timer

CLAIM = 20

Write = Callable[[Letter, Pack], Written]


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many messages were taken (some may have ended at once), the letters to send, and how long to wait when none was taken."""

    taken: int
    letters: tuple[Sending, ...]
    wait: timedelta | None


async def open_window(tx: Tx, regions: Iterable[str]) -> None:
    """People may be written to again."""
    await deliver(tx, set(regions))


async def claim(tx: Tx, region: str, hand: UUID, vault: Vault, write: Write, public_url: str) -> Claimed:
    """Take a few letters into hand, written and sealed; or say how long to wait (wall clock) when only later ones are left.

    Outside the hours in which people may be written to nothing is taken, and a timer comes back when they begin.
    """
    pack = await tx.pack(region)
    day = tx.stamp.day
    window = rules.sending_window(pack, day)
    local = tx.stamp.business.astimezone(rules.timezone(pack, day))
    good, bad = domain.may_write(window, local), domain.may_write(window, local, bad_news=True)
    rows = await store.messages.claim(tx, region, hand, bad_news=bad, limit=CLAIM) if good else []
    if not rows:
        return Claimed(0, (), await _later(tx, region, good, bad, window, local))
    letters = await _write(tx, hand, rows, pack, vault, write, public_url)
    return Claimed(len(rows), tuple(letters), None)


async def _later(tx: Tx, region: str, good: bool, bad: bool, window: Window, local: datetime) -> timedelta | None:
    waiting = await store.messages.waiting(tx, region)
    later: datetime | None = waiting["later"]
    held_back = waiting["n"] if not good else waiting["bad_news"] if not bad else 0
    if held_back:
        opens = domain.may_write_next(window, local, bad_news=good)
        await timers.schedule(tx, WINDOW, [Timer(derived_id(WINDOW, region), opens, region)])
    if good and later is not None:
        return max(timedelta(seconds=0.2), later - tx.stamp.wall)
    return None


async def _write(
    tx: Tx, hand: UUID, rows: Sequence[Mapping[str, Any]], pack: Pack, vault: Vault, write: Write, public_url: str
) -> list[Sending]:
    contacts = {row["worker_id"]: row for row in await store.people.vault(tx, {row["worker_id"] for row in rows})}
    # Not locked: an answer takes its question first and messages second, the other way round would be a deadlock.
    questions = await store.questions.read(tx, {row["question_id"] for row in rows if row["question_id"] is not None})
    letters: list[Sending] = []
    sealed: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    over: list[Sent] = []
    for row in sorted(rows, key=lambda row: (row["created_at"], row["id"])):
        held = contacts.get(row["worker_id"])
        question = questions.get(row["question_id"])
        asks = row["template"] in domain.ABOUT_OPEN_QUESTION
        if asks and (question is None or question.state is not QuestionState.OPEN or question.due <= tx.stamp.business):
            over.append(Sent(row["id"], MessageState.FAILED, "too_late"))
            continue
        try:
            if held is None:
                raise Unreadable("no contact")
            key = vault.open_key(held["wrapped"], row["worker_id"])
            contact = Contact.decode(key.open(held["sealed"], "contact"))
        except Unreadable:
            over.append(Sent(row["id"], MessageState.FAILED, "no_address"))
            continue
        if not contact.email:
            over.append(Sent(row["id"], MessageState.FAILED, "no_address"))
            continue
        token = secrets.token_urlsafe(32) if asks else ""
        link = f"{public_url}/a/{token}" if token else ""
        if token and question is not None:
            links.append({"token_hash": domain.token_hash(token).hex(), "region": row["region"], "question_id": question.id})
        letter = Letter(row["template"], row["region"], contact, json.loads(row["details"]), link, tx.stamp.day)
        written = write(letter, pack)
        letters.append(Sending(row["id"], contact.email, written, row["attempts"]))
        sealed.append({"id": row["id"], "sealed": key.seal(msgspec.json.encode(written), f"letter:{row['id']}").hex()})
    await store.questions.add_links(tx, links)
    await store.messages.save_letters(tx, sealed)
    if over:
        await settle(tx, hand, over)
    return letters


async def settle(tx: Tx, hand: UUID, results: Sequence[Sent]) -> int:
    """Record what became of letters in our hand; returns how many were."""
    rows = [
        {
            "id": result.message_id,
            "state": result.state,
            "reason": result.reason,
            "not_before": None if result.again_after is None else tx.stamp.wall + result.again_after,
        }
        for result in results
    ]
    settled = await store.messages.settle(tx, hand, rows)
    for row in settled:
        if row["state"] == MessageState.SENT:
            tx.emit(
                MessageSent(
                    region=row["region"],
                    effective_on=tx.stamp.day,
                    message_id=row["id"],
                    worker_id=row["worker_id"],
                    template=row["template"],
                    channel=row["channel"],
                )
            )
        metrics.MESSAGES.labels(row["template"], row["state"]).inc()
    fail(tx, [row for row in settled if row["state"] == MessageState.FAILED], {})
    return len(settled)


async def give_up_hand(tx: Tx, region: str, hand: UUID) -> int:
    """Letters whose sender ended between claim and result are `unknown` from now on."""
    lost = await store.messages.lost_in_hand(tx, region, hand)
    if lost:
        metrics.MESSAGES.labels("any", MessageState.UNKNOWN).inc(lost)
    return lost


async def print_list(
    tx: Tx, vault: Vault, region: str, *, agency: str, only_open: bool, purpose: str, after: Any, limit: int
) -> list[tuple[Mapping[str, Any], Contact | None]]:
    """What the agency hands over itself, with the people's names: a read of personal data, noted with its purpose."""
    rows = await store.messages.printed(tx, region, agencies=reach(tx, region, agency), only_open=only_open, after=after, limit=limit)
    held = {row["worker_id"]: row for row in await store.people.vault(tx, {row["worker_id"] for row in rows})}
    tx.note("contacts.shown", None, region, purpose=purpose)
    return [(row, _contact(vault, held.get(row["worker_id"]))) for row in rows]


def _contact(vault: Vault, held: Mapping[str, Any] | None) -> Contact | None:
    if held is None:
        return None
    try:
        return Contact.decode(vault.open_key(held["wrapped"], held["worker_id"]).open(held["sealed"], "contact"))
    except Unreadable:
        return None


def details(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a stored message says about the seat."""
    found: dict[str, Any] = json.loads(row["details"])
    return found
