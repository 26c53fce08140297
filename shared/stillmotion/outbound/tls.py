"""One TLS context for every connection that leaves the process.

A context reads the machine's root certificates, 20 to 30 ms of processor time, and urllib3 makes one for each new
connection unless it is given one. What is shared must not be changed by one of its users: this one refuses to verify
less than the certificate and the host's name.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any


def shared_context(bundle: str | None = None) -> StrictContext:
    """The process's context.

    Args:
        bundle: a file with the only certificates to trust; without it, what the machine trusts, or ``SSL_CERT_FILE``
            and ``SSL_CERT_DIR`` where set.

    Raises:
        OSError: the bundle cannot be read.
    """
    return _context(bundle, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _context(bundle: str | None, file: str | None, folder: str | None) -> StrictContext:
    """The context for these settings; OpenSSL reads the last two by itself, and a change of them gives another one."""
    context = StrictContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    context.post_handshake_auth = True
    context.set_alpn_protocols(["http/1.1"])
    if bundle is None:
        context.load_default_certs()
    else:
        ssl.SSLContext.load_verify_locations(context, bundle)
    return context


class StrictContext(ssl.SSLContext):
    """A client's context that verifies certificate and host name, whatever a library sets on it later."""

    _protocols: tuple[str, ...] = ()

    @property  # type: ignore[override]
    def verify_mode(self) -> ssl.VerifyMode:
        return super().verify_mode

    @verify_mode.setter
    def verify_mode(self, mode: ssl.VerifyMode) -> None:
        if mode != ssl.CERT_REQUIRED:
            raise ValueError(f"The shared TLS context always verifies certificates; verify_mode {mode!r} was given.")

    @property
    def check_hostname(self) -> bool:
        return super().check_hostname

    @check_hostname.setter
    def check_hostname(self, check: bool) -> None:
        if not check:
            raise ValueError("The shared TLS context always checks host names; give server_hostname instead.")

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Set the protocols once only: urllib3 sets the same ones for every connection, while other threads may be
        connecting.
        """
        wanted = tuple(alpn_protocols)
        if wanted != self._protocols:
            super().set_alpn_protocols(wanted)
            self._protocols = wanted

    def load_verify_locations(self, *_: Any, **__: Any) -> None:
        raise ValueError("The shared TLS context trusts what the machine trusts. Set SSL_CERT_FILE for other roots.")
