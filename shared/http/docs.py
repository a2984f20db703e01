"""The API's description as one page without scripts and without anything from another host."""

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f3f3f3;border-radius:3px}code{padding:.1em .3em}pre{padding:.7em;overflow:auto}
h2{border-bottom:1px solid #ccc;margin-top:2.5rem}summary{cursor:pointer;padding:.3em 0}summary b{display:inline-block;min-width:4.5em}
table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left;vertical-align:top}
"""


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    shown = str(schema.get("format") or schema.get("type") or "any")
    if "enum" in schema:
        shown += ": " + ", ".join(map(str, schema["enum"]))
    return escape(shown)


def _row(name: str, schema: Mapping[str, Any], required: bool, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code>{' *' if required else ''}</td><td>{_kind(schema)}</td><td>{escape(text)}</td></tr>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(str(operation.get('summary', '')))}</summary>"]
    if operation.get("description"):
        parts.append(f"<p>{escape(str(operation['description']))}</p>")
    parameters = operation.get("parameters", [])
    if parameters:
        rows = (
            _row(f"{p['name']} ({p['in']})", p.get("schema", {}), bool(p.get("required")), str(p.get("description", "")))
            for p in parameters
        )
        parts.append(f"<table><tr><th>parameter</th><th>kind</th><th></th></tr>{''.join(rows)}</table>")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body ({escape(media)}): {_kind(content.get('schema', {}))}</p>")
    for status, answer in operation.get("responses", {}).items():
        kinds = ", ".join(_kind(content.get("schema", {})) for content in answer.get("content", {}).values())
        parts.append(f"<p>{escape(status)}: {escape(str(answer.get('description', '')))} {kinds}</p>")
    return "".join(parts) + "</details>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = (
        _row(field, body, field in required, str(body.get("description", "")))
        for field, body in schema.get("properties", {}).items()
        if isinstance(body, Mapping)
    )
    text = escape(str(schema.get("description", "")))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{text}</p><table>{"".join(rows)}</table>'


def page(document: Mapping[str, Any]) -> str:
    """The OpenAPI document as HTML."""
    info = document.get("info", {})
    operations = [_operation(method, path, op) for path, item in sorted(document.get("paths", {}).items()) for method, op in item.items()]
    schemas = [_schema(name, schema) for name, schema in sorted(document.get("components", {}).get("schemas", {}).items())]
    title = escape(f"{info.get('title', '')} {info.get('version', '')}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>'
        f"<p>{escape(str(info.get('description', '')))} The same for machines: <a href='openapi.json'>openapi.json</a>.</p>"
        f"<h2>Doors</h2>{''.join(operations)}<h2>Bodies</h2>{''.join(schemas)}</html>"
    )
