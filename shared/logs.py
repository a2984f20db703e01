"""Logs: one JSON line per fact, fixed fields, nothing of anybody's.

Fields on every line: `time` (wall, UTC), `level`, `service`, `logger`, `event`, and `trace_id` when there is a trace.
An error is logged as its kind and where it came from, never as its message: messages of drivers and libraries quote
the values they choked on. Numbers of 16 digits (NIK, family card) and longer are struck out wherever they appear.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from shared import tracing

_LONG_NUMBER = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){15,}(?!\d)")
_HEXADECIMAL = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_MAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+")
_ROOT = Path(__file__).resolve().parent.parent
_FIXED = ("time", "level", "service", "logger", "event", "trace_id")


def redact(text: str) -> str:
    """The text without numbers of 16 or more digits (spaced or not) and without mail addresses."""
    if _HEXADECIMAL.match(text):
        return text
    return _MAIL.sub("[mail]", _LONG_NUMBER.sub("[number]", text))


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(10**15) < value < 10**15 else "[number]"
    if depth > 6:
        return "..."
    if isinstance(value, Mapping):
        return {redact(str(key)): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in value]
    return redact(str(value))


def where(error: BaseException) -> list[str]:
    """The frames an error came through, innermost last, as `path:line function`, without any value."""
    frames: list[str] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        path = Path(code.co_filename)
        shown = str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else "/".join(path.parts[-2:])
        frames.append(f"{shown}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]


def kind(error: BaseException) -> str:
    """What an error is, with its causes: `DBAPIError[23505] < UniqueViolationError[23505]`, without any value."""
    names: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(names) < 4:
        state = getattr(seen, "sqlstate", None) or getattr(getattr(seen, "orig", None), "sqlstate", None)
        slug = getattr(seen, "slug", None)
        mark = state or slug
        names.append(type(seen).__name__ + (f"[{mark}]" if isinstance(mark, str) else ""))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return " < ".join(names)


def _error(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()[1]
    elif isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        line["error"] = kind(given)
        line["where"] = where(given)
    line.pop("stack_info", None)
    return line


class _Shape:
    """Fixed fields first, redaction last."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["service"] = self._service
        if trace := tracing.trace_id():
            line["trace_id"] = trace
        shaped: dict[str, Any] = {name: line.pop(name) for name in _FIXED if name in line}
        trace_id = shaped.pop("trace_id", None)
        cleaned: dict[str, Any] = {name: _clean(value) for name, value in (*shaped.items(), *line.items())}
        if trace_id is not None:
            cleaned["trace_id"] = trace_id
        return cleaned


def _foreign(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Other libraries' lines keep their template and lose their arguments: we cannot know what is in those."""
    record = line.get("_record")
    if isinstance(record, logging.LogRecord) and not record.name.startswith("jembatan"):
        line["event"] = str(record.msg)
    return line


class Seldom(logging.Filter):
    """Lets a library say the same thing once in `seconds`: a client without its broker says it a hundred times a second."""

    def __init__(self, seconds: float = 5.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line goes on. Lines of ours always do."""
        if record.name.startswith("jembatan"):
            return True
        said = (record.name, str(record.msg))
        if record.created - self._said.get(said, 0.0) < self._seconds:
            return False
        if len(self._said) > 1000:
            self._said.clear()
        self._said[said] = record.created
        return True


def configure(service: str, level: str = "INFO") -> None:
    """Send every log line of the process, ours and the libraries', to standard output as JSON."""
    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Seldom())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, _foreign],
            processors=[
                _error,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Shape(service),
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faststream", "aiokafka", "sqlalchemy", "alembic"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.getLogger("uvicorn.access").setLevel("WARNING")
    for name in ("aiokafka", "faststream", "httpx2", "httpcore2", "asyncio", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of ours; events are sentences, values are fields."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(f"jembatan.{name}")
    return bound
