"""A disk for nbdkit's Python plugin: keeps its octets in memory, and writes down every write and every flush.

A record: kind ("W" written, "F" flushed), length, offset, instant of the monotonic clock; data. A write is recorded
before it is answered, a flush after everything before it and before it is answered, too.
"""

import struct
import time

import nbdkit

API_VERSION = 2
HEAD = struct.Struct("<cxxxIQd")

settings = {}


def config(key, value):
    settings[key] = value


_open = open


def get_ready():
    settings["log"] = _open(settings["log"], "ab", buffering=0)
    settings["octets"] = bytearray(int(settings["size"]))


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):  # noqa: A001 - the name that nbdkit calls
    return settings["octets"]


def get_size(octets):
    return len(octets)


def can_write(octets):
    return True


def can_flush(octets):
    return True


def can_fua(octets):
    return nbdkit.FUA_EMULATE


def pread(octets, buffer, offset, flags):
    buffer[:] = octets[offset : offset + len(buffer)]


def pwrite(octets, buffer, offset, flags):
    data = bytes(buffer)
    octets[offset : offset + len(data)] = data
    settings["log"].write(HEAD.pack(b"W", len(data), offset, time.monotonic()) + data)


def flush(octets, flags):
    settings["log"].write(HEAD.pack(b"F", 0, 0, time.monotonic()))
