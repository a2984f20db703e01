"""The same POST sent twice is done once; a commit that fails was nothing."""

import asyncio
from typing import Any

from tests.support.running import Running


def body(name: str, **more: Any) -> dict[str, Any]:
    return {"region": "13.74", "name": name, **more}


async def count(toy: Running, name: str) -> int:
    return len(await toy.rows("SELECT 1 FROM thing WHERE name = $1", name))


async def test_the_same_key_and_body_get_the_same_answer(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="same")
    first = await toy.http.post("/v1/things", json=body("once"), headers=headers)
    second = await toy.http.post("/v1/things", json=body("once"), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["etag"] == first.headers["etag"] and second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replay"] == "true" and "idempotent-replay" not in first.headers
    assert await count(toy, "once") == 1
    stored = await toy.rows("SELECT body, fingerprint FROM idempotency")
    assert all("once" not in row["body"] and b"once" not in row["fingerprint"] for row in stored)


async def test_another_body_under_the_same_key_is_refused(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="other body")
    await toy.http.post("/v1/things", json=body("first"), headers=headers)
    answer = await toy.http.post("/v1/things", json=body("second"), headers=headers)
    assert answer.status_code == 422 and answer.json()["type"].endswith("/key-reused")
    assert await count(toy, "second") == 0


async def test_another_callers_key_is_another_key(toy: Running) -> None:
    one = toy.bearer("procurement_officer", key="shared", subject="one")
    two = toy.bearer("procurement_officer", key="shared", subject="two")
    assert (await toy.http.post("/v1/things", json=body("of one"), headers=one)).status_code == 201
    assert (await toy.http.post("/v1/things", json=body("of two"), headers=two)).status_code == 201


async def test_while_the_first_is_still_at_work_the_second_is_told_so(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="slow")
    first = asyncio.create_task(toy.http.post("/v1/things", json=body("slow", wait=3), headers=headers))
    answer = None
    for _ in range(200):
        if await toy.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT (classid = 1246055746 AND objsubid = 2)"):
            answer = await toy.http.post("/v1/things", json=body("slow", wait=3), headers=headers)
            break
        await asyncio.sleep(0.02)
    assert answer is not None
    assert (await first).status_code == 201
    # On a machine so slow that the first had ended, the repeat gets its answer; it is never done twice.
    assert (answer.status_code, answer.json().get("type", "").rsplit("/", 1)[-1]) == (409, "still-running") or answer.status_code == 201
    assert await count(toy, "slow") == 1


async def test_a_refusal_is_not_remembered(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="refused first")
    assert (await toy.http.post("/v1/things", json=body("again", then="refuse"), headers=headers)).status_code == 409
    assert (await toy.http.post("/v1/things", json=body("again"), headers=headers)).status_code == 201


async def test_a_commit_that_fails_is_5xx_and_stores_nothing(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="commit")
    before = len(await toy.events())
    answer = await toy.http.post("/v1/things", json=body("commit fails"), headers=headers)
    assert answer.status_code == 500 and "planted" not in answer.text and "1374010101010101" not in answer.text
    assert await count(toy, "commit fails") == 0
    assert len(await toy.events()) == before
    repeat = await toy.http.post("/v1/things", json=body("commit fails"), headers=headers)
    assert repeat.status_code == 500 and "idempotent-replay" not in repeat.headers


async def test_a_key_that_cannot_be_one_is_refused(toy: Running) -> None:
    answer = await toy.http.post("/v1/things", json=body("bad key"), headers=toy.bearer("procurement_officer", key="x" * 201))
    assert answer.status_code == 422 and answer.json()["type"].endswith("/bad-idempotency-key")


async def test_an_upload_sent_again_is_one_job(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", key="file")
    content = b"line of text\n" * 100_000
    first = await toy.http.post("/v1/uploads", content=content, headers=headers)
    second = await toy.http.post("/v1/uploads", content=content, headers=headers)
    assert first.status_code == second.status_code == 202 and first.json() == second.json()
    other = await toy.http.post("/v1/uploads", content=content + b"!", headers=headers)
    assert other.status_code == 422
    await toy.settle()
    job = await toy.http.get(f"/v1/jobs/{first.json()['job']}", headers=toy.bearer("people_officer"))
    assert job.json()["state"] == "done" and job.json()["result"]["size"] == len(content)
    pieces = await toy.rows("SELECT data FROM file_chunk")
    assert pieces and all(b"line of text" not in row["data"] for row in pieces)
