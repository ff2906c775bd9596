from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from opsconsole.ingest.limits import Malformed, TooLarge, UnsupportedEncoding, unpack


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("GZIP ", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_body_is_unpacked(encoding: str, pack: object) -> None:
    assert unpack(pack(b"hello" * 100), encoding, 500) == b"hello" * 100  # type: ignore[operator]


def test_a_gzip_of_several_members_is_read_to_its_end() -> None:
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 10) == b"ab"


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_byte_over_the_limit_is_too_large(encoding: str) -> None:
    body = b"x" * 101
    with pytest.raises(TooLarge, match="more than 100 bytes; send smaller batches"):
        unpack(gzip.compress(body) if encoding else body, encoding, 100)


def test_a_gzip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 28)))
    bomb = gzip.decompress(bomb)  # 256 MB of zeros in 260 kB
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpack(bomb, "gzip", 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_members_of_a_bomb_do_not_each_get_the_whole_limit() -> None:
    with pytest.raises(TooLarge):
        unpack(gzip.compress(bytes(60)) * 2, "gzip", 100)


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"hello" * 100)[:-12], gzip.compress(b"x") + b"rest"],
    ids=["none", "cut off", "more behind"],
)
def test_what_is_no_whole_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(body, "gzip", 1000)


def test_an_unknown_encoding_says_which_are_known() -> None:
    with pytest.raises(UnsupportedEncoding, match="'br' is not supported; send gzip or none"):
        unpack(b"", "br", 10)
