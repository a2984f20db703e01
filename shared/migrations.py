"""The tables of the machine, the same in every service, and the rights of the three database roles.

A service's first migration calls `create_machine(op)`, creates its own tables with `op.create_table`, and ends with
`secure(op, tables=[...], open_tables=[...])`. Migrations run as the owner role; the two roles that services use at run
time are named after it: `<stem>owner`, `<stem>api`, `<stem>worker`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

SCOPED: Final = "(SELECT string_to_array(current_setting('app.regions', true), ','))::text[]"
"""The caller's regions. As a sub-select it is evaluated once per statement, not once per row."""

SEES: Final = f"(region = ANY({SCOPED}) OR split_part(region, '.', 1) = ANY({SCOPED}) OR '*' = ANY({SCOPED}))"
"""A row is seen by its exact region, by its province (two digits), or by a caller who may see everything."""

MAX_BODY: Final = 900_000
"""Largest body of an event in bytes; larger results are files, and the event carries hash and counts."""

MACHINE: Final = f"""
CREATE TABLE event (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid NOT NULL CONSTRAINT event_id_once UNIQUE,
    aggregate      text NOT NULL,
    aggregate_id   uuid NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    type           text NOT NULL,
    topic          text NOT NULL,
    key            uuid NOT NULL,
    shard          integer NOT NULL,
    region         text NOT NULL,
    effective_on   date NOT NULL,
    recorded_at    timestamptz NOT NULL,
    business_at    timestamptz NOT NULL,
    actor          text NOT NULL,
    use_case       text NOT NULL,
    causation_id   uuid,
    correlation_id uuid NOT NULL,
    pack           text NOT NULL,
    traceparent    text NOT NULL,
    sealed         boolean NOT NULL,
    gone           boolean NOT NULL,
    body           text NOT NULL CONSTRAINT event_body_size CHECK (octet_length(body) <= {MAX_BODY}),
    CONSTRAINT event_version_once UNIQUE (aggregate_id, version)
);
COMMENT ON TABLE event IS 'Outbox and history in one: append-only, never pruned.';

CREATE TABLE pending (
    shard  integer NOT NULL,
    seq    bigint NOT NULL,
    replay boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shard, seq)
);
COMMENT ON TABLE pending IS 'Events written and not yet acknowledged by the broker.';

CREATE TABLE sealed_body (
    event_id uuid PRIMARY KEY,
    sealed   text NOT NULL
);
COMMENT ON TABLE sealed_body IS 'Sealed payloads of contact events until the broker has them; never kept.';

CREATE TABLE position (
    consumer     text NOT NULL,
    aggregate_id uuid NOT NULL,
    version      integer NOT NULL,
    event_id     uuid NOT NULL,
    PRIMARY KEY (consumer, aggregate_id)
);
COMMENT ON TABLE position IS 'Per consumer: the last version applied of each aggregate. Never pruned.';

CREATE TABLE consumer (
    name       text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('projection', 'reaction')),
    generation integer NOT NULL DEFAULT 1,
    state      text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'rebuilding')),
    since      timestamptz NOT NULL,
    target     text NOT NULL DEFAULT '{{}}'
);
COMMENT ON TABLE consumer IS 'Group generation of each consumer, and whether its tables are being rebuilt.';

CREATE TABLE parked (
    id           uuid PRIMARY KEY,
    consumer     text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('gap', 'behind', 'fork', 'poison', 'failed')),
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'applied', 'discarded')),
    reason       text NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    event_id     uuid,
    aggregate_id uuid,
    version      integer,
    region       text NOT NULL DEFAULT '',
    record       bytea NOT NULL,
    parked_at    timestamptz NOT NULL,
    asked_at     timestamptz,
    asked        integer NOT NULL DEFAULT 0,
    release      boolean NOT NULL DEFAULT false,
    decided_at   timestamptz,
    decided_by   text NOT NULL DEFAULT ''
);
CREATE INDEX parked_waiting ON parked (consumer, aggregate_id, version) WHERE state = 'waiting';
COMMENT ON TABLE parked IS 'Records that could not be applied, encrypted; later ones of the aggregate wait behind them.';

CREATE TABLE inbox_outcome (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    outcome  text NOT NULL,
    slug     text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
COMMENT ON TABLE inbox_outcome IS 'Well-formed events that the domain refused.';

CREATE TABLE audit (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    at           timestamptz NOT NULL,
    actor        text NOT NULL,
    use_case     text NOT NULL,
    purpose      text NOT NULL,
    kind         text NOT NULL,
    region       text NOT NULL,
    aggregate_id uuid,
    version      integer,
    event_id     uuid,
    pack         text NOT NULL,
    entry        text NOT NULL,
    leaf         bytea NOT NULL CHECK (octet_length(leaf) = 32)
);
CREATE INDEX audit_event ON audit (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX audit_aggregate ON audit (aggregate_id, seq);

CREATE TABLE audit_opening (
    audit_id uuid NOT NULL,
    field    text NOT NULL,
    salt     bytea NOT NULL,
    PRIMARY KEY (audit_id, field)
);
COMMENT ON TABLE audit_opening IS 'Salts of the commitments; erasing a person deletes them, the leaf hashes stay.';

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the % log is append-only', TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE relay_state (
    topic      text PRIMARY KEY,
    cluster_id text NOT NULL,
    topic_id   text NOT NULL,
    seen_at    timestamptz NOT NULL
);

CREATE TABLE idempotency (
    actor       text NOT NULL,
    key         text NOT NULL,
    use_case    text NOT NULL,
    fingerprint bytea NOT NULL,
    status      integer,
    body        text,
    headers     text NOT NULL DEFAULT '{{}}',
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (actor, key)
);
COMMENT ON TABLE idempotency IS 'Answers given to keyed requests; status is NULL while the first one runs.';

CREATE TABLE timer (
    kind       text NOT NULL,
    key        uuid NOT NULL,
    due        timestamptz NOT NULL,
    region     text NOT NULL,
    payload    text NOT NULL DEFAULT '{{}}',
    attempts   integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    PRIMARY KEY (kind, key)
);
CREATE INDEX timer_due ON timer (due);

CREATE TABLE job (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    region      text NOT NULL,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    payload     text NOT NULL DEFAULT '{{}}',
    cursor      text NOT NULL DEFAULT '{{}}',
    progress    text NOT NULL DEFAULT '{{}}',
    result      text NOT NULL DEFAULT '{{}}',
    error       text NOT NULL DEFAULT '',
    actor       text NOT NULL DEFAULT '',
    attempts    integer NOT NULL DEFAULT 0,
    lease       uuid,
    lease_until timestamptz,
    not_before  timestamptz,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX job_open ON job (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX job_listed ON job (region, created_at DESC, id);

CREATE TABLE file (
    id         uuid PRIMARY KEY,
    region     text NOT NULL,
    kind       text NOT NULL,
    media      text NOT NULL,
    name       text NOT NULL DEFAULT '',
    sha256     text NOT NULL,
    size       bigint NOT NULL,
    chunks     integer NOT NULL,
    sealed     boolean NOT NULL,
    actor      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL
);

CREATE TABLE file_chunk (
    file_id uuid NOT NULL,
    ordinal integer NOT NULL,
    data    bytea NOT NULL,
    PRIMARY KEY (file_id, ordinal)
);

CREATE TABLE pack_active (
    region       text NOT NULL,
    from_day     date NOT NULL,
    sha256       text NOT NULL,
    event_id     uuid NOT NULL,
    activated_at timestamptz NOT NULL,
    PRIMARY KEY (region, from_day)
);
COMMENT ON TABLE pack_active IS 'Which rule pack counts in a region from which day on.';
"""

# What each role may do with the machine's tables; nothing else is granted.
_API: Final[dict[str, str]] = {
    "event": "SELECT, INSERT",
    "pending": "SELECT, INSERT",
    "sealed_body": "SELECT, INSERT",
    "consumer": "SELECT",
    "parked": "SELECT",
    "audit": "SELECT, INSERT",
    "audit_opening": "INSERT",
    "idempotency": "SELECT, INSERT, UPDATE, DELETE",
    "timer": "SELECT, INSERT, UPDATE, DELETE",
    "job": "SELECT, INSERT, UPDATE",
    "file": "SELECT, INSERT",
    "file_chunk": "SELECT, INSERT",
    "pack_active": "SELECT, INSERT, UPDATE",
}
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_WORKER: Final[dict[str, str]] = {
    "event": "SELECT, INSERT",
    "audit": "SELECT, INSERT",
    **dict.fromkeys(
        (
            "pending",
            "sealed_body",
            "position",
            "consumer",
            "parked",
            "inbox_outcome",
            "audit_opening",
            "relay_state",
            "idempotency",
            "timer",
            "job",
            "file",
            "file_chunk",
            "pack_active",
        ),
        _ALL,
    ),
}
# Machine tables whose rows the api role sees by region only.
_MACHINE_SCOPED: Final = ("event", "job", "file", "timer")
TABLES: Final = tuple(_WORKER)
"""Every machine table, for tools that compare or count."""


def create_machine(op: Any) -> None:
    """Create the tables of the machine with their grants and row-level security. `op` is `alembic.op`."""
    for statement in _statements(MACHINE):
        op.execute(statement)
    api, worker = roles(op)
    for name, rights in _API.items():
        op.execute(f"GRANT {rights} ON {name} TO {api}")
    for name, rights in _WORKER.items():
        op.execute(f"GRANT {rights} ON {name} TO {worker}")
    _police(op, _MACHINE_SCOPED, api, worker)
    # A row about a province or the installation may be written by any door and is read by scope.
    op.execute("ALTER TABLE audit ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY api_reads ON audit FOR SELECT TO {api} USING ({SEES})")
    op.execute(f"CREATE POLICY api_writes ON audit FOR INSERT TO {api} WITH CHECK (true)")
    op.execute(f"CREATE POLICY worker_all ON audit TO {worker} USING (true) WITH CHECK (true)")
    # What is parked without a readable region concerns everybody who must know whether something is parked.
    op.execute("ALTER TABLE parked ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY api_reads ON parked FOR SELECT TO {api} USING (region = '' OR {SEES})")
    op.execute(f"CREATE POLICY worker_all ON parked TO {worker} USING (true) WITH CHECK (true)")


def drop_machine(op: Any) -> None:
    """Undo `create_machine`. Everything in the tables is lost."""
    for name in reversed(TABLES):
        op.execute(f"DROP TABLE {name}")
    op.execute("DROP FUNCTION append_only()")


def secure(op: Any, *, tables: Iterable[str], open_tables: Iterable[str] = ()) -> None:
    """Grant a service's own tables to its run-time roles.

    `tables` have a `region` column: the api role sees and writes only rows of the caller's regions. `open_tables` have
    none (reference data, tables reached through a scoped one); the api role sees all of them.
    """
    api, worker = roles(op)
    scoped = list(tables)
    for name in (*scoped, *open_tables):
        op.execute(f"GRANT {_ALL} ON {name} TO {api}")
        op.execute(f"GRANT {_ALL} ON {name} TO {worker}")
    _police(op, scoped, api, worker)


def roles(op: Any) -> tuple[str, str]:
    """The api and worker roles that belong to the owner who runs this migration."""
    owner = op.get_bind().exec_driver_sql("SELECT current_user").scalar_one()
    if not isinstance(owner, str) or not owner.endswith("owner"):
        raise RuntimeError(f"migrations run as a role named <stem>owner, not as {owner!r}: check JEMBATAN_OWNER_URL")
    stem = owner.removesuffix("owner")
    return f'"{stem}api"', f'"{stem}worker"'


def _police(op: Any, tables: Sequence[str], api: str, worker: str) -> None:
    for name in tables:
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY api_scope ON {name} TO {api} USING ({SEES}) WITH CHECK ({SEES})")
        op.execute(f"CREATE POLICY worker_all ON {name} TO {worker} USING (true) WITH CHECK (true)")


def _statements(script: str) -> list[str]:
    """The statements of a script; a `$$` body is one piece."""
    found: list[str] = []
    current: list[str] = []
    inside = False
    for line in script.strip().splitlines():
        current.append(line)
        inside ^= line.count("$$") % 2 == 1
        if not inside and line.rstrip().endswith(";"):
            found.append("\n".join(current))
            current = []
    return found
