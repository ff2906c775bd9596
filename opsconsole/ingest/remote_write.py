"""Prometheus remote write 1.0: samples by the thousand, from senders that repeat the labels of every series each time.

Source: Prometheus, specs/remote_write_spec 1.0; prompb/remote.proto, prompb/types.proto.  The labels on the wire are the
key by which a series is known again, so that a known one costs a dictionary look-up; the samples behind them are read
column by column.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from opsconsole.series.block import NAN_SAMPLE, STALE
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.metadata import Metadata

from .limits import Malformed, UnsupportedEncoding
from .push import Push, Refusal, Refused
from .roster import Member, Roster

PROTOBUF = "application/x-protobuf"

_VERSION_1 = "prometheus.writerequest"
_KNOWN = 400_000  # keys of series; about 250 bytes each
_LONGEST_LABELS = 65_536  # bytes of one series
_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

# A series of one sample ends, as every sender writes it, in field 2 with a length: field 1 of it, a double, and field 2,
# a varint of six bytes (from 2004 to 2109).  A value of zero is left out.
_SAMPLE, _ZERO = 18, 9
_SAMPLE_HEAD, _ZERO_HEAD = b"\x12\x10\x09", b"\x12\x07\x10"
_SHIFTS = np.arange(0, 42, 7, dtype=np.int64)
_STALE_BITS = np.float64(STALE).view(np.int64)

Bytes2D = NDArray[np.uint8]


def check_content_type(content_type: str) -> None:
    """Raises ``UnsupportedEncoding`` for anything but remote write 1.0; senders of 2.0 then fall back to it."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind != PROTOBUF:
        raise UnsupportedEncoding(f"content type {kind or 'missing'} is not supported; send {PROTOBUF}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "proto" and value != _VERSION_1:
            raise UnsupportedEncoding(
                f"{value} is not supported; send remote write 1.0: {PROTOBUF};proto=prometheus.WriteRequest"
            )


class RemoteWriteDecoder:
    """Reads unpacked bodies; any thread may."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._known: dict[bytes | tuple[bytes, ...], Member] = {}

    def decode(self, body: bytes) -> Push:
        """Everything in a request.  Raises ``Malformed``; then none of it is taken.

        Series without valid labels and native histograms are refused, the others of the request are taken.
        """
        try:
            request = _Request.FromString(body)
            rest = _Rest(self)
            members, tails, zeros = self._known_series(list(request.timeseries), rest)
            for one in rest.unread:
                rest.read(one)
        except DecodeError:
            raise Malformed("the body is no remote-write request (prometheus.WriteRequest); is it cut off?") from None
        values = np.concatenate(
            [tails[:, 3:11].copy().view("<f8").ravel(), np.zeros(len(zeros)), np.array(rest.values, dtype=np.float64)]
        )
        odd = np.isnan(values) & (values.view(np.int64) != _STALE_BITS)
        if odd.any():
            values[odd] = NAN_SAMPLE
        timestamps = np.concatenate(
            [_instants(tails[:, 12:]), _instants(zeros[:, 3:]), np.array(rest.timestamps, dtype=np.int64)]
        )
        metadata = {one.name: Metadata(_type(one.type), one.help, one.unit) for one in request.metadata if one.name}
        return Push([*members, *rest.members], timestamps, values, rest.refused, rest.exemplars, metadata)

    def _known_series(self, series: Sequence[bytes], rest: _Rest) -> tuple[Sequence[Member], Bytes2D, Bytes2D]:
        """(members, their samples uint8[N, 18], those of value zero uint8[M, 9]); what is neither goes to ``rest``."""
        known = self._known.get
        found = list(map(known, [one[:-_SAMPLE] for one in series]))
        tails = _rows([one[-_SAMPLE:] for one in compress(series, found)], _SAMPLE)
        right = _is_sample(tails)
        members = list(filter(None, found))
        others = [one for one, member in zip(series, found, strict=True) if member is None]
        if not right.all():  # the key of a series, and something else behind it
            others += compress(compress(series, found), (~right).tolist())
            members = list(compress(members, right.tolist()))
            tails = tails[right]
        if not others:
            return members, tails, np.empty((0, _ZERO), dtype=np.uint8)
        found = list(map(known, [one[:-_ZERO] for one in others]))
        zeros = _rows([one[-_ZERO:] for one in compress(others, found)], _ZERO)
        right = _is_zero(zeros)
        rest.unread += [one for one, member in zip(others, found, strict=True) if member is None]
        rest.unread += compress(compress(others, found), (~right).tolist())
        members += compress(filter(None, found), right.tolist())
        return members, tails, zeros[right]

    def _member(self, raw: bytes, one: Any) -> Member:
        """The member of a series.  Raises ``ValueError`` for labels that are none."""
        parts = tuple(one.labels)
        member = self._known.get(parts)
        if member is None:
            member = self._roster.member(_labels(parts))
            self._remember(parts, member)
        if len(one.samples) == 1:
            key = _key(raw)
            if key and tuple(_Series.FromString(key).labels) == parts:
                self._remember(key, member)
        return member

    def _remember(self, key: bytes | tuple[bytes, ...], member: Member) -> None:
        if len(self._known) >= _KNOWN:
            self._known = {old: kept for old, kept in self._known.copy().items() if kept.number >= 0}
            if len(self._known) >= _KNOWN // 2:
                self._known = {}
        self._known[key] = member


class _Rest:
    """What the quick way did not read: new series, several samples, exemplars, histograms."""

    def __init__(self, decoder: RemoteWriteDecoder) -> None:
        self._member = decoder._member  # noqa: SLF001 - one class in two parts
        self.unread: list[bytes] = []
        self.members: list[Member] = []
        self.timestamps: list[int] = []
        self.values: list[float] = []
        self.exemplars: list[tuple[Labels, Exemplar]] = []
        self.refused = Refused()

    def read(self, raw: bytes) -> None:
        one = _Series.FromString(raw)
        samples, histograms = len(one.samples), len(one.histograms)
        try:
            member = self._member(raw, one)
        except ValueError as error:
            self.refused.add(Refusal.LABELS, str(error), max(1, samples + histograms))
            return
        if histograms:
            text = f"native histograms are not supported; send classic buckets of {member.labels}"
            self.refused.add(Refusal.NATIVE_HISTOGRAM, text, histograms)
        for sample in one.samples:
            self.members.append(member)
            self.timestamps.append(sample.timestamp)
            self.values.append(sample.value)
        for raw_exemplar in one.exemplars:
            exemplar = _Exemplar.FromString(raw_exemplar)
            labels = Labels.of((pair.name, pair.value) for pair in exemplar.labels)
            self.exemplars.append((member.labels, Exemplar(labels, exemplar.value, exemplar.timestamp)))


def _labels(parts: Sequence[bytes]) -> Labels:
    """The label set.  Raises ``ValueError`` that says what is wrong with it."""
    if sum(map(len, parts)) > _LONGEST_LABELS:
        raise ValueError(f"the labels of a series have more than {_LONGEST_LABELS:,} bytes")
    try:
        pairs = [(sys.intern(pair.name), sys.intern(pair.value)) for pair in map(_Label.FromString, parts)]
    except DecodeError:
        raise ValueError("a label is not UTF-8") from None
    labels = Labels.of(pairs)
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError(f"a label stands twice in {labels}")
    if not all(name for name, _ in pairs):
        raise ValueError(f"a label without a name in {labels}")
    if not labels.metric:
        raise ValueError(f"no metric name ({METRIC_NAME}) in {labels}")
    return labels


def _key(raw: bytes) -> bytes:
    """What stands before the one sample of a series; empty when it is not written in the usual form."""
    for size, is_one in ((_SAMPLE, _is_sample), (_ZERO, _is_zero)):
        tail = raw[-size:]
        if len(tail) == size and is_one(_rows([tail], size))[0]:
            return raw[:-size]
    return b""


def _rows(tails: Sequence[bytes], size: int) -> Bytes2D:
    return np.frombuffer(b"".join(tails), dtype=np.uint8).reshape(-1, size)


def _is_sample(tails: Bytes2D) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (tails[:, :3] == np.frombuffer(_SAMPLE_HEAD, np.uint8)).all(axis=1)
    right &= (tails[:, 11] == 0x10) & _is_instant(tails[:, 12:])
    return right


def _is_zero(tails: Bytes2D) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (tails[:, :3] == np.frombuffer(_ZERO_HEAD, np.uint8)).all(axis=1)
    right &= _is_instant(tails[:, 3:])
    return right


def _is_instant(varints: Bytes2D) -> NDArray[np.bool_]:
    """Which rows are a varint of exactly six bytes."""
    going_on = varints >= 0x80
    ends: NDArray[np.bool_] = going_on[:, :5].all(axis=1) & ~going_on[:, 5]
    return ends


def _instants(varints: Bytes2D) -> NDArray[np.int64]:
    instants: NDArray[np.int64] = ((varints & 0x7F).astype(np.int64) << _SHIFTS).sum(axis=1)
    return instants


def _type(number: int) -> str:
    return _TYPES[number] if 0 <= number < len(_TYPES) else _TYPES[0]


def _messages() -> dict[str, Any]:
    """The messages, with what is rarely looked into left as bytes."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="opsconsole/remote_write.proto", package="opsconsole.remote_write", syntax="proto3"
    )
    for name, fields in {
        "Label": [("name", 1, "string"), ("value", 2, "string")],
        "Sample": [("value", 1, "double"), ("timestamp", 2, "int64")],
        "Exemplar": [("labels", 1, "*Label"), ("value", 2, "double"), ("timestamp", 3, "int64")],
        "Series": [("labels", 1, "*bytes"), ("samples", 2, "*Sample"), ("exemplars", 3, "*bytes"),
                   ("histograms", 4, "*bytes")],
        "Metadata": [("type", 1, "int32"), ("name", 2, "string"), ("help", 4, "string"), ("unit", 5, "string")],
        "Request": [("timeseries", 1, "*bytes"), ("metadata", 3, "*Metadata")],
    }.items():  # fmt: skip
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            one = message.field.add(name=field_name, number=number)
            one.label = kinds.LABEL_REPEATED if kind.startswith("*") else kinds.LABEL_OPTIONAL
            scalar = kind.lstrip("*")
            if scalar[0].isupper():
                one.type, one.type_name = kinds.TYPE_MESSAGE, f".{file.package}.{scalar}"
            else:
                one.type = getattr(kinds, f"TYPE_{scalar.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        one.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{one.name}"))
        for one in file.message_type
    }


_MESSAGES = _messages()
_Request, _Series, _Label, _Exemplar = (_MESSAGES[name] for name in ("Request", "Series", "Label", "Exemplar"))
