"""`larnn bridge kafka` and `larnn bridge mqtt`: from a broker to the service and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from larnn_cli.bridge.counts import Counts, serve
from larnn_cli.bridge.description import Bridge, read
from larnn_cli.service import Ca, Key, RetryFor, Service, Url

if TYPE_CHECKING:
    from larnn_cli.bridge.lane import Asks

Running = Callable[["Asks", asyncio.Event], Awaitable[None]]

app = typer.Typer(no_args_is_help=True, help="Streams from a broker's topics, each step once.")

Description = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="the description, a TOML")
]
Username = Annotated[str | None, typer.Option(help="the password is LARNN_BROKER_PASSWORD")]
Tls = Annotated[bool, typer.Option("--broker-tls", help="reach the broker by TLS")]
BrokerCa = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="certificates to trust, PEM")
]
Port = Annotated[int | None, typer.Option(help="answer Prometheus on this port of 127.0.0.1")]
Every = Annotated[float, typer.Option(min=0.1, help="seconds between lines of progress")]


@app.command()
def kafka(
    description: Description,
    broker: Annotated[str, typer.Option(help="its addresses, between commas")] = "localhost:9092",
    group: Annotated[str, typer.Option(help="bridges of one group share the partitions")] = "larnn",
    username: Username = None,
    broker_tls: Tls = False,
    broker_ca: BrokerCa = None,
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 60.0,
    metrics_port: Port = None,
    progress: Every = 10.0,
) -> None:
    """Records of a topic, by their keys, through streams; answers to another topic."""
    from larnn_cli.bridge.kafka import KafkaBridge

    where: dict[str, Any] = {"bootstrap_servers": broker}
    secure = broker_tls or broker_ca is not None
    if secure:
        where["ssl_context"] = _trusting(broker_ca)
    if username is not None:
        where |= {"sasl_plain_username": username, "sasl_plain_password": _password()}
        where["sasl_mechanism"] = "PLAIN"
    names = {(False, False): "PLAINTEXT", (True, False): "SSL"}
    names |= {(False, True): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
    where["security_protocol"] = names[secure, username is not None]

    async def running(asks: Asks, stop: asyncio.Event) -> None:
        await KafkaBridge(asks, where, group).run(stop)

    service = Service(url, key, ca, retry_for, local=False)
    _run(read(description), service, running, metrics_port, progress)


@app.command()
def mqtt(
    description: Description,
    journal: Annotated[Path, typer.Option(help="file of what came and is not durable, SQLite")],
    broker: Annotated[str, typer.Option(help="its address")] = "localhost:1883",
    client_id: Annotated[str, typer.Option(help="of the session that the broker keeps")] = "larnn",
    username: Username = None,
    broker_tls: Tls = False,
    broker_ca: BrokerCa = None,
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 60.0,
    metrics_port: Port = None,
    progress: Every = 10.0,
) -> None:
    """Messages, by their topics, through streams; answers to topics."""
    from larnn_cli.bridge.mqtt import Broker, MqttBridge

    host, _, port = broker.partition(":")
    tls = _trusting(broker_ca) if broker_tls or broker_ca is not None else None
    password = None if username is None else _password()
    where = Broker(host, int(port or (8883 if tls else 1883)), client_id, username, password, tls)

    async def running(asks: Asks, stop: asyncio.Event) -> None:
        await MqttBridge(asks, where, journal).run(stop)

    service = Service(url, key, ca, retry_for, local=False)
    _run(read(description), service, running, metrics_port, progress)


def _run(
    bridge: Bridge, service: Service, running: Running, port: int | None, every: float
) -> None:
    """Until SIGTERM or ^C: what came is finished, as far as it goes, and the rest comes again."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("larnn.bridge").setLevel(logging.INFO)
    counts = Counts()
    if port is not None:
        typer.echo(f"metrics on http://127.0.0.1:{serve(counts, port)}/metrics", err=True)
    asyncio.run(_bridge(bridge, service, counts, running, every))


async def _bridge(
    bridge: Bridge, service: Service, counts: Counts, running: Running, every: float
) -> None:
    from larnn_cli.bridge.lane import Asks

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with service.asynchronous() as client:
        served = await client.models()
        wanted = bridge.model or served.default
        known = {model.name: model for model in served.models}
        if wanted not in known:
            raise typer.BadParameter(f"{wanted!r} is none of {', '.join(known)}")
        outputs = [output.name for output in known[wanted].outputs]
        if missing := set(bridge.outputs) - set(outputs):
            raise typer.BadParameter(f"{', '.join(missing)}: {wanted} has {', '.join(outputs)}")
        asks = Asks(client, bridge, known[wanted].input.width, counts)
        async with _telling(counts, every):
            await running(asks, stop)


@contextlib.asynccontextmanager
async def _telling(counts: Counts, every: float) -> AsyncIterator[None]:
    """A line of progress now and then, and one at the end."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(every)
            sys.stderr.write(f"{counts.line()}\n")

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        sys.stderr.write(f"{counts.line()}\n")


def _password() -> str:
    if (password := os.environ.get("LARNN_BROKER_PASSWORD")) is None:
        raise typer.BadParameter("set LARNN_BROKER_PASSWORD", param_hint="--username")
    return password


def _trusting(ca: Path | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca)
