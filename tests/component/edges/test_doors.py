"""Versions, pages, scopes, and doors without a token."""

from tests.support.running import Running


async def make(toy: Running, name: str, region: str = "13.74") -> str:
    headers = toy.bearer("procurement_officer", regions=(region,))
    answer = await toy.http.post("/v1/things", json={"region": region, "name": name}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"1"' and answer.headers["location"].endswith(answer.json()["id"])
    return str(answer.json()["id"])


async def test_a_change_needs_the_version_that_was_seen(toy: Running) -> None:
    thing = await make(toy, "versioned")
    headers = toy.bearer("procurement_officer")
    path = f"/v1/things/{thing}"
    body = {"region": "13.74", "name": "renamed"}
    assert (await toy.http.get(path, headers=headers)).headers["etag"] == '"1"'
    assert (await toy.http.put(path, json=body, headers=headers)).status_code == 428
    assert (await toy.http.put(path, json=body, headers=headers | {"If-Match": "nonsense"})).status_code == 422
    changed = await toy.http.put(path, json=body, headers=headers | {"If-Match": '"1"'})
    assert changed.status_code == 200 and changed.headers["etag"] == '"2"'
    late = await toy.http.put(path, json=body, headers=headers | {"If-Match": '"1"'})
    assert late.status_code == 412 and late.json()["type"].endswith("/changed-meanwhile")


async def test_pages_hold_everything_once_and_in_order(toy: Running) -> None:
    for n in range(7):
        await make(toy, f"page {n}", "15.05")
    headers = toy.bearer("procurement_officer", regions=("15.05",))
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": "3", "cursor": cursor} if cursor else {"limit": "3"}
        page = (await toy.http.get("/v1/things", params=params, headers=headers)).json()
        assert len(page["items"]) <= 3 and page["as_of"]
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert names == [f"page {n}" for n in range(7)]


async def test_another_regions_rows_are_not_there(toy: Running) -> None:
    thing = await make(toy, "far away", "15.05")
    answer = await toy.http.get(f"/v1/things/{thing}", headers=toy.bearer("procurement_officer"))
    assert answer.status_code == 404
    near = await toy.http.get(f"/v1/things/{thing}", headers=toy.bearer("procurement_officer", regions=("13.74", "15.05")))
    assert near.status_code == 200


async def test_a_public_door_needs_no_token(toy: Running) -> None:
    await make(toy, "seen by all")
    assert (await toy.http.get("/open/seen by all")).json() == {"there": True}
    assert (await toy.http.get("/open/never made")).json() == {"there": False}


async def test_a_trace_goes_through_and_is_stored_with_the_event(toy: Running) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = toy.bearer("procurement_officer") | {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = await toy.http.post("/v1/things", json={"region": "13.74", "name": "traced"}, headers=headers)
    assert trace in answer.headers["traceparent"]
    rows = await toy.rows("SELECT traceparent FROM event WHERE aggregate_id::text = $1", answer.json()["id"])
    assert trace in rows[0]["traceparent"]


async def test_the_system_doors_are_on_their_own_port(toy: Running) -> None:
    assert (await toy.http.get("/metrics")).status_code == 404
    assert (await toy.http.get("/readyz")).status_code == 404
    assert (await toy.system.get("/livez")).json() == {"live": True, "stuck": []}
    version = (await toy.system.get("/version")).json()
    assert version["service"] == "vendor" and version["simulated_time"] is True
    text = (await toy.system.get("/metrics")).text
    for name in ("jembatan_pending", "jembatan_timers_due", "jembatan_jobs_open", "jembatan_business_time_seconds", "jembatan_lag"):
        assert f"\n{name}" in text
