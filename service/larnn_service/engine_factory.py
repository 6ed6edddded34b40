"""The engine as the settings want it: its streams, their store, and the share of each owner."""

from __future__ import annotations

from larnn_service.admission.keys import ApiKeys
from larnn_service.admission.shares import share_of
from larnn_service.engine.capture.factory import open_capture
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import Models
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.valkey.awaited import Awaited
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from larnn_service.telemetry.metrics import Metrics


def open_engine(settings: Settings, models: Models) -> Engine:
    """With the store that is set. Raises StartupError where something cannot be had."""
    owners = ApiKeys(settings.api_keys).owners()
    most, kept = settings.max_streams, settings.max_kept_bytes
    places = Places(most, share_of(most, owners), kept, share_of(kept, owners))
    streams = _streams(settings, models, places, owners)
    return Engine(models, streams, settings, share_of(settings.max_waiting_steps, owners))


def _streams(settings: Settings, models: Models, places: Places, owners: set[str]) -> Streams:
    awaited = Awaited(settings.store_replicas, settings.store_replicas_on_disk)
    store = open_store(
        settings.store,
        ttl=settings.store_ttl,
        timeout=settings.store_timeout,
        connections=settings.store_connections,
        awaited=awaited,
    )
    store.prepare()
    secret = settings.secret.get_secret_value()
    if "secret" not in settings.model_fields_set:  # replicas and restarts share the store's
        secret = store.keep_secret(secret)
    metrics = Metrics()
    return Streams(
        store,
        StreamIds(secret),
        models,
        places,
        idle_timeout=settings.idle_timeout,
        checkpoint_steps=settings.checkpoint_steps,
        checkpoint_interval=settings.checkpoint_interval,
        connection_age=settings.max_connection_age,
        metrics=metrics,
        capture=open_capture(settings, owners, metrics),
    )
