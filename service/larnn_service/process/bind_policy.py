"""Where the service listens and with what: TLS, and no public address by accident."""

from __future__ import annotations

import logging
import ssl

from larnn_service.admission.keys import ApiKeys
from larnn_service.errors import StartupError
from larnn_service.settings import Settings

logger = logging.getLogger(__name__)


def check_exposure(settings: Settings) -> None:
    """Raises StartupError where anyone could come in, and nobody said that anyone may."""
    if ApiKeys(settings.api_keys) or settings.allow_anyone or settings.is_local:
        return
    raise StartupError(
        f"LARNN_HOST={settings.host} can be reached from other machines, and no keys are set: "
        "set LARNN_API_KEYS (python -m service keys NAME makes one), or LARNN_ALLOW_ANYONE=true "
        "where something else keeps others out"
    )


def renew_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Connections that come have what the files hold now; where that is no good, what was there."""
    try:
        certificate(settings)
    except StartupError as error:
        logger.error("the certificate stays as it was: %s", error)
        return
    assert settings.tls_cert is not None
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    logger.info("the certificate is that of the files now")


def certificate(settings: Settings) -> ssl.SSLContext | None:
    """For TLS with the certificate that is set. Raises StartupError where it cannot be used."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise StartupError("LARNN_TLS_CERT and LARNN_TLS_KEY go together: set both, or none")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartupError(
            f"LARNN_TLS_CERT={settings.tls_cert}, LARNN_TLS_KEY={settings.tls_key}: {error}"
        ) from None
    return context
