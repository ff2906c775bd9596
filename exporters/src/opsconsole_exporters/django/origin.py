"""Finds where a query comes from: the model and relation in the ORM's own frames, the line of the application above them.

Walks a stack, which takes tens of microseconds: for repeated queries only, and once for each.
"""

from __future__ import annotations

import asyncio
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from types import FrameType
from typing import Any

from django.db.models import Model
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor, ReverseOneToOneDescriptor
from django.db.models.query import QuerySet
from django.db.models.query_utils import DeferredAttribute

from opsconsole_exporters.django.queries import Origin

DEEPEST = 400  # frames looked at
PATH_CHARACTERS = 200

_ASGIREF = "asgiref.sync"
_COMPILER = "django.db.models.sql.compiler"
_QUERY = "django.db.models.query"
_DESCRIPTORS = frozenset({"django.db.models.fields.related_descriptors", "django.db.models.query_utils"})
_GENERIC = "django.contrib.contenttypes.fields"
_TEMPLATE = "django.template.base"


def find_origin(innermost: FrameType | None, task: asyncio.Task[Any] | None = None) -> Origin:
    """The origin of what runs in ``innermost``.

    An async query runs in a thread of its own, whose stack ends at asgiref; what waits for it is then found in ``task``.
    """
    said: dict[str, Any] = {}
    for frame in chain(_outward(innermost), _awaiting(task)):
        _read_orm(frame, said)
        if _is_application(frame.f_code.co_filename):
            said["file"] = _shown(frame.f_code.co_filename)
            said["line"] = frame.f_lineno
            said["function"] = frame.f_code.co_qualname
            break
    return Origin(**said)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(DEEPEST):
        # Beyond asgiref is who lends the thread, not who waits for the answer.
        if frame is None or frame.f_globals.get("__name__") == _ASGIREF:
            return
        yield frame
        frame = frame.f_back


def _awaiting(task: asyncio.Task[Any] | None) -> Iterator[FrameType]:
    """Frames of the coroutines of a waiting task, innermost first."""
    frames: list[FrameType] = []
    at: Any = task.get_coro() if task is not None and not task.done() else None
    while at is not None and len(frames) < DEEPEST:
        frame = getattr(at, "cr_frame", None) or getattr(at, "ag_frame", None) or getattr(at, "gi_frame", None)
        if frame is not None:
            frames.append(frame)
        at = getattr(at, "cr_await", None) or getattr(at, "ag_await", None) or getattr(at, "gi_yieldfrom", None)
    return reversed(frames)


def _read_orm(frame: FrameType, said: dict[str, Any]) -> None:
    module = frame.f_globals.get("__name__")
    if module == _COMPILER:
        if "model" not in said and (model := _model_of(getattr(_self(frame), "query", None))):
            said["model"] = model
    elif module == _QUERY:
        queryset = _self(frame)
        if isinstance(queryset, QuerySet) and "relation" not in said:
            _read_queryset(queryset, said)
    elif module in _DESCRIPTORS and frame.f_code.co_name == "__get__":
        _read_descriptor(_self(frame), said)
    elif module == _GENERIC and frame.f_code.co_name == "__get__":
        key = _self(frame)
        _relation(said, key.model, key.name, "forward")
    elif module == _TEMPLATE and frame.f_code.co_name == "render_annotated" and "template" not in said:
        node = _self(frame)
        if (token := getattr(node, "token", None)) and (origin := getattr(node, "origin", None)):
            said["template"] = f"{str(origin.template_name or origin.name)[-PATH_CHARACTERS:]}:{token.lineno}"


def _read_descriptor(descriptor: Any, said: dict[str, Any]) -> None:
    if isinstance(descriptor, ForwardManyToOneDescriptor):
        _relation(said, descriptor.field.model, descriptor.field.name, "forward")
    elif isinstance(descriptor, ReverseOneToOneDescriptor):
        _relation(said, descriptor.related.model, descriptor.related.get_accessor_name(), "forward")
    elif isinstance(descriptor, DeferredAttribute):
        _relation(said, descriptor.field.model, descriptor.field.name, "deferred")


def _read_queryset(queryset: QuerySet[Any], said: dict[str, Any]) -> None:
    """A related manager leaves in its querysets which objects they belong to."""
    for field in getattr(queryset, "_known_related_objects", ()):
        _relation(said, field.remote_field.model, field.remote_field.get_accessor_name(), "reverse")
        return
    instance = getattr(queryset, "_hints", {}).get("instance")
    if not isinstance(instance, Model):
        return
    # Of many-to-many only the object is there; its relation is known if it has one way to that model.
    options = instance._meta  # noqa: SLF001 - the documented API of models
    ways = {field.name for field in options.many_to_many if field.related_model is queryset.model}
    ways |= {
        str(related.get_accessor_name())
        for related in options.related_objects
        if related.many_to_many and related.related_model is queryset.model
    }
    if len(ways) == 1:
        _relation(said, type(instance), ways.pop(), "many")


def _relation(said: dict[str, Any], model: Any, name: object, kind: str) -> None:
    # The outermost access names what the application wrote: a deferred field fetches itself through other querysets.
    said.update(relation=str(name), relation_model=model._meta.label, kind=kind)  # noqa: SLF001 - see above


def _model_of(query: Any) -> str:
    model = getattr(query, "model", None)
    return model._meta.label if model is not None else ""  # noqa: SLF001 - see above


def _self(frame: FrameType) -> Any:
    return frame.f_locals.get("self")


def _roots() -> tuple[str, ...]:
    """Where code lives that nobody of the application has written."""
    # Ours too, but for where it is a checkout beside the application's code.
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - strings are compared
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages(), here}
    return tuple(sorted(os.path.join(os.path.realpath(path), "") for path in paths if path))  # noqa: PTH118 - see above


_LIBRARIES = _roots()


@lru_cache(4096)
def _is_application(file: str) -> bool:
    if file.startswith("<"):
        return False
    parts = file.replace("\\", "/")
    if "/site-packages/" in parts or "/dist-packages/" in parts:
        return False
    return not (file.startswith(_LIBRARIES) or os.path.realpath(file).startswith(_LIBRARIES))


@lru_cache(4096)
def _shown(file: str) -> str:
    """Relative to the directory on ``sys.path`` it was imported from: the same on every host."""
    bases = sorted((os.path.join(path, "") for path in sys.path if path), key=len, reverse=True)  # noqa: PTH118
    base = next((path for path in bases if file.startswith(path)), "")
    return file[len(base) :][-PATH_CHARACTERS:]
