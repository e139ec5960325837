"""Links libcrypto_mb.a, which the package ipp-crypto-static brings, into the extension."""

from importlib.metadata import distribution
from pathlib import Path

from setuptools import Extension, setup


def find(package: str, name: str) -> Path:
    """Return where a file of an installed package lies."""
    return next(Path(str(file.locate())).resolve() for file in distribution(package).files or () if file.match(name))


LIBRARY = find("ipp-crypto-static", "libcrypto_mb.a")
HEADER = find("ipp-crypto-include", "aggregator/crypto_mb/rsa.h")

setup(
    ext_modules=[
        Extension(
            "gatepost_batch_signing._rsa",
            ["src/gatepost_batch_signing/_rsa.c"],
            include_dirs=[str(HEADER.parents[1])],
            extra_objects=[str(LIBRARY)],
            extra_compile_args=["-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
            extra_link_args=["-Wl,--gc-sections", "-Wl,--exclude-libs,ALL", "-Wl,-z,noexecstack", "-s"],
        )
    ]
)
