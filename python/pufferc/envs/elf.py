"""What a shared object says of itself: a reader of the few parts of ELF files that loading and checking a game need.

Nothing is executed. Every offset is checked against the file's size: a damaged file gives ElfError, whose text is the
end of a sentence that begins with the file's name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Elf", "ElfError", "Symbol"]

_MACHINES = {3: "x86 (32 bits)", 20: "PowerPC", 40: "ARM (32 bits)", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}
_SEGMENT_LOAD, _SEGMENT_INTERPRETER = 1, 3
_SECTION_SYMBOLS, _SECTION_DYNAMIC_SYMBOLS = 2, 11
_TYPE_OBJECT, _TYPE_PROGRAM, _TYPE_SHARED = 1, 2, 3


class ElfError(ValueError):
    """A file that is not a whole ELF file."""


@dataclass(frozen=True)
class Symbol:
    """A name in a symbol table. `defined` is False for what another library has to bring."""

    name: str
    address: int
    size_bytes: int
    is_data: bool
    defined: bool


class Elf:
    """One ELF file in memory. `machine` and `bits` say for which processors it was built."""

    def __init__(self, data: bytes) -> None:
        """Reads the head and the segments of `data`, which is kept. Raises ElfError."""
        self._data = data
        if len(data) < 64 or data[:4] != b"\x7fELF":
            raise ElfError(f"is not a shared object (it begins with {data[:4]!r})" if data else "is empty")
        self.bits = {1: 32, 2: 64}.get(data[4], 0)
        self._order = "<" if data[5] == 1 else ">"
        self.type, self.machine = struct.unpack_from(f"{self._order}HH", data, 16)
        self.segments = list(self._read_segments()) if self.bits == 64 else []

    @property
    def architecture(self) -> str:
        """Name of the processors it was built for, "AArch64, 64 bits"."""
        return f"{_MACHINES.get(self.machine, f'processor {self.machine}')}{', big-endian' * (self._order == '>')}"

    def why_not_loadable(self) -> str | None:
        """What kind of file this is, if not a complete shared object; else None."""
        if self.type == _TYPE_OBJECT:
            return "is an object file; link it: cc -shared -fPIC ... -o NAME.so"
        kinds = [kind for kind, _, _ in self.segments]
        if self.type == _TYPE_PROGRAM or _SEGMENT_INTERPRETER in kinds:
            return "is a program, not a shared object; build it with -shared -fPIC"
        if self.type != _TYPE_SHARED or (self.bits == 64 and _SEGMENT_LOAD not in kinds):
            return "is not a shared object"
        end = max((offset + size for _, offset, size in self.segments), default=0)
        if end > len(self._data):
            return f"is cut off: it has {len(self._data)} bytes and should have at least {end}"
        return None

    def _field(self, layout: str, offset: int) -> tuple[int, ...]:
        size = struct.calcsize(self._order + layout)
        if offset < 0 or offset + size > len(self._data):
            raise ElfError(f"is cut off: byte {offset + size} of {len(self._data)} is asked for")
        values: tuple[int, ...] = struct.unpack_from(self._order + layout, self._data, offset)
        return values

    def _read_segments(self) -> Iterator[tuple[int, int, int]]:
        """(kind, offset, bytes) of each program header."""
        (start,) = self._field("Q", 32)
        entry, count = self._field("HH", 54)
        for i in range(count):
            kind, _, offset, _, _, size = self._field("IIQQQQ", start + i * entry)
            yield kind, offset, size

    def _sections(self) -> Iterator[tuple[int, int, int, int, int]]:
        """(kind, offset, bytes, linked section, bytes of an entry) of each section header."""
        (start,) = self._field("Q", 40)
        entry, count = self._field("HH", 58)
        for i in range(count):
            _, kind, _, _, offset, size, link, _, _, each = self._field("IIQQQQIIQQ", start + i * entry)
            yield kind, offset, size, link, each

    def _symbols(self, wanted: int) -> Iterator[Symbol]:
        if self.bits != 64:
            return
        sections = list(self._sections())
        for kind, offset, size, link, each in sections:
            if kind != wanted or each < 24 or link >= len(sections):
                continue
            _, names, names_bytes, _, _ = sections[link]
            for at in range(offset + each, offset + size - each + 1, each):  # the first one is empty
                name, info, _, section, address, length = self._field("IBBHQQ", at)
                text = self._data[names + name : min(names + names_bytes, names + name + 4096)].split(b"\0", 1)[0]
                yield Symbol(text.decode(errors="replace"), address, length, info & 15 == 1, section != 0)

    def imports(self) -> list[str]:
        """Names that the dynamic loader has to find in other libraries."""
        return [symbol.name for symbol in self._symbols(_SECTION_DYNAMIC_SYMBOLS) if not symbol.defined]

    def variables(self) -> list[Symbol]:
        """Data with its name and place, static variables included; empty in a stripped file."""
        return [s for s in self._symbols(_SECTION_SYMBOLS) if s.is_data and s.defined and s.size_bytes]
