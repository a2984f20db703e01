"""Every error is problem+json with a stable type, and none of them says what came in."""

from typing import Any

import pytest

from shared.http.problems import MEDIA, TYPE
from tests.support.running import Running

SECRET = "1374010101010101"


def checked(answer: Any, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA
    body: dict[str, Any] = answer.json()
    assert body["type"] == TYPE + slug
    assert body["status"] == status and body["title"]
    assert body["trace_id"] and body["trace_id"] in answer.headers["traceparent"]
    assert SECRET not in answer.text
    return body


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", f"/nothing/{SECRET}", 404, "not-found"),
        ("GET", "/v1/things/", 404, "not-found"),
        ("DELETE", "/v1/things", 405, "method-not-allowed"),
        ("GET", f"/v1/things/{SECRET}", 422, "invalid"),
        ("GET", f"/v1/things?since={SECRET}x", 422, "invalid"),
        ("GET", f"/v1/things?limit={SECRET}", 422, "invalid"),
        ("GET", f"/v1/things?cursor={SECRET}", 422, "bad-cursor"),
        ("GET", "/v1/things/00000000-0000-4000-8000-000000000001", 404, "not-found"),
        ("GET", "/v1/jobs/00000000-0000-4000-8000-000000000002", 404, "no-such-job"),
    ],
)
async def test_a_bad_request_is_a_problem(toy: Running, method: str, path: str, status: int, slug: str) -> None:
    headers = toy.bearer("procurement_officer", "people_officer")
    checked(await toy.http.request(method, path, headers=headers), status, slug)


async def test_a_caller_without_a_token_or_with_a_bad_one_is_unauthenticated(toy: Running) -> None:
    answer = await toy.http.get("/v1/things")
    checked(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    checked(await toy.http.get("/v1/things", headers={"Authorization": f"Bearer {SECRET}"}), 401, "bad-token")
    checked(await toy.http.get("/v1/things", headers=toy.bearer("procurement_officer", ttl=-100)), 401, "token-expired")


async def test_a_caller_without_the_permission_or_the_region_is_forbidden(toy: Running) -> None:
    body = {"region": "13.74", "name": SECRET}
    checked(await toy.http.post("/v1/things", json=body, headers=toy.bearer("desk")), 403, "no-permission")
    there = toy.bearer("procurement_officer", regions=("15.05",))
    checked(await toy.http.post("/v1/things", json=body, headers=there), 403, "not-your-region")
    assert not await toy.rows("SELECT 1 FROM thing WHERE name = $1", SECRET)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"region": "13.74"}, "name", "missing"),
        ({"region": "13.74", "name": "a", "extra": SECRET}, "extra", "extra-forbidden"),
        ({"region": "13.74", "name": "a", SECRET: 1}, "?", "extra-forbidden"),
        ({"region": SECRET, "name": "a"}, "region", "string-pattern-mismatch"),
        ({"region": "13.74", "name": "a" * 41}, "name", "string-too-long"),
        ({"region": "13.74", "name": "a", "count": SECRET + "x"}, "count", "int-parsing"),
        ({"region": "13.74", "name": "a", "count": int(SECRET)}, "count", "less-than-equal"),
        ({"region": "13.74", "name": "a", "count": True}, "body", "int-not-bool"),
        ({"region": "13.74", "name": "a", "colour": SECRET}, "colour", "literal-error"),
        ({"region": "13.74", "name": "a", "then": SECRET}, "then", "unknown-then"),
        ({"region": "13.74", "name": f"a\x00{SECRET}"}, "body", "unstorable"),
        ({"region": "13.74", "name": "a", "count": 10**30}, "body", "too-big"),
    ],
)
async def test_a_field_is_named_with_a_code_and_without_its_value(toy: Running, body: dict[str, Any], field: str, code: str) -> None:
    answer = await toy.http.post("/v1/things", json=body, headers=toy.bearer("procurement_officer"))
    found = checked(answer, 422, "invalid")
    assert {"field": field, "code": code} == {name: found["errors"][0][name] for name in ("field", "code")}, found
    assert found["errors"][0]["text"]


async def test_what_is_not_json_is_malformed(toy: Running) -> None:
    headers = toy.bearer("procurement_officer") | {"Content-Type": "application/json"}
    checked(await toy.http.post("/v1/things", content=f"{{{SECRET}".encode(), headers=headers), 400, "malformed")
    checked(await toy.http.post("/v1/things", content=b"\xff\xfe", headers=headers), 400, "malformed")


async def test_a_refusal_carries_its_rule_and_its_article_and_changes_nothing(toy: Running) -> None:
    body = {"region": "13.74", "name": "refused", "then": "refuse"}
    found = checked(await toy.http.post("/v1/things", json=body, headers=toy.bearer("procurement_officer", key="r1")), 409, "too-many")
    assert (found["rule"], found["article"], found["errors"][0]["field"]) == ("toy.limit", "UU 1/2026 Pasal 2", "count")
    assert not await toy.rows("SELECT 1 FROM thing WHERE name = 'refused'")


async def test_our_own_mistake_is_500_and_says_nothing(toy: Running, capfd: pytest.CaptureFixture[str]) -> None:
    body = {"region": "13.74", "name": SECRET, "then": "crash"}
    checked(await toy.http.post("/v1/things", json=body, headers=toy.bearer("procurement_officer")), 500, "internal")
    out, err = capfd.readouterr()
    assert SECRET not in out + err


async def test_what_is_not_now_is_503_with_a_hint_when_to_come_back(toy: Running) -> None:
    body = {"region": "13.74", "name": "later", "then": "not-now"}
    answer = await toy.http.post("/v1/things", json=body, headers=toy.bearer("procurement_officer"))
    checked(answer, 503, "pack-missing")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_body_over_the_limit_is_413_whether_announced_or_not(toy: Running) -> None:
    headers = toy.bearer("procurement_officer")

    async def endless() -> Any:
        for _ in range(5):
            yield b"x" * 1_000_000

    before = await toy.rows("SELECT count(*) FROM file_chunk")
    big = b'{"name": "' + b"x" * 2_200_000 + b'"}'
    checked(await toy.http.post("/v1/things", content=big, headers=headers | {"Content-Type": "application/json"}), 413, "too-large")
    checked(await toy.http.post("/v1/uploads", content=b"x" * 3_000_001, headers=headers), 413, "too-large")
    checked(await toy.http.post("/v1/uploads", content=endless(), headers=headers), 413, "too-large")
    assert await toy.rows("SELECT count(*) FROM file_chunk") == before


async def test_the_description_is_complete_and_the_page_needs_nobody_else(toy: Running) -> None:
    document = (await toy.http.get("/openapi.json")).json()
    make = document["paths"]["/v1/things"]["post"]
    assert make["responses"]["4XX"]["content"][MEDIA]["schema"]["$ref"] == "#/components/schemas/Problem"
    assert any(parameter["name"] == "Idempotency-Key" for parameter in make["parameters"])
    assert "HTTPValidationError" not in document["components"]["schemas"]
    page = await toy.http.get("/docs")
    assert page.status_code == 200 and "/v1/things" in page.text
    assert "http://" not in page.text and "https://" not in page.text and "<script" not in page.text
