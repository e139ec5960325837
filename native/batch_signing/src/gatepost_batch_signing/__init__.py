"""RSA-2048 signatures eight at a time, for Gatepost; see README.md. The interface is ``_rsa.c``'s."""

from gatepost_batch_signing._rsa import is_applicable, sign

__all__ = ["is_applicable", "sign"]
