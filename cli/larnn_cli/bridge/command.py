"""`larnn bridge kafka` and `larnn bridge mqtt`: from a broker to the service and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from larnn_cli.bridge.address import address, is_here
from larnn_cli.bridge.counts import Counts, serve
from larnn_cli.bridge.description import Bridge, read
from larnn_cli.service import Ca, Key, RetryFor, Service, Url

if TYPE_CHECKING:
    from larnn_cli.bridge.asks import Asks

Running = Callable[["Asks"], Awaitable[None]]

app = typer.Typer(no_args_is_help=True, help="Streams from a broker's topics, each step once.")

Description = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="the description, a TOML")
]
Username = Annotated[str | None, typer.Option(help="the password is LARNN_BROKER_PASSWORD")]
Tls = Annotated[bool, typer.Option("--broker-tls", help="reach the broker by TLS")]
BrokerCa = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="certificates to trust, PEM")
]
Port = Annotated[int | None, typer.Option(help="answer Prometheus on this port")]
Host = Annotated[str, typer.Option(help="of the metrics; who reaches it reads them")]
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
    metrics_address: Host = "127.0.0.1",
    progress: Every = 10.0,
) -> None:
    """Records of a topic, by their keys, through streams; answers to another topic."""
    from larnn_cli.bridge.kafka import KafkaBridge

    addresses = broker.split(",")
    hosts = [address(each, 9092)[0] for each in addresses]
    where: dict[str, Any] = {"bootstrap_servers": addresses}
    secure = broker_tls or broker_ca is not None
    _warn(username, secure, hosts)
    if secure:
        where["ssl_context"] = _trusting(broker_ca)
    if username is not None:
        where |= {"sasl_plain_username": username, "sasl_plain_password": _password()}
        where["sasl_mechanism"] = "PLAIN"
    names = {(False, False): "PLAINTEXT", (True, False): "SSL"}
    names |= {(False, True): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
    where["security_protocol"] = names[secure, username is not None]

    async def running(asks: Asks) -> None:
        await KafkaBridge(asks, where, group).run()

    service = Service(url, key, ca, retry_for, local=False)
    _run(read(description), service, running, (metrics_address, metrics_port), progress)


@app.command()
def mqtt(
    description: Description,
    journal: Annotated[Path, typer.Option(help="file of what came and is not durable, SQLite")],
    broker: Annotated[str, typer.Option(help="its address")] = "localhost:1883",
    client_id: Annotated[
        str | None,
        typer.Option(help="of the session that the broker keeps", show_default="the journal's own"),
    ] = None,
    username: Username = None,
    broker_tls: Tls = False,
    broker_ca: BrokerCa = None,
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 60.0,
    metrics_port: Port = None,
    metrics_address: Host = "127.0.0.1",
    progress: Every = 10.0,
) -> None:
    """Messages, by their topics, through streams; answers to topics."""
    from larnn_cli.bridge.mqtt import Broker, MqttBridge

    tls = _trusting(broker_ca) if broker_tls or broker_ca is not None else None
    host, port = address(broker, 1883 if tls is None else 8883)
    _warn(username, tls is not None, [host])
    password = None if username is None else _password()
    where = Broker(host, port, client_id, username, password, tls)

    async def running(asks: Asks) -> None:
        await MqttBridge(asks, where, journal).run()

    service = Service(url, key, ca, retry_for, local=False)
    _run(read(description), service, running, (metrics_address, metrics_port), progress)


def _run(
    bridge: Bridge,
    service: Service,
    running: Running,
    metrics: tuple[str, int | None],
    every: float,
) -> None:
    """Until SIGTERM or ^C: what came is finished, as far as it goes, and the rest comes again."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("larnn.bridge").setLevel(logging.INFO)
    counts, (host, port) = Counts(), metrics
    if port is not None:
        typer.echo(f"metrics on http://{host}:{serve(counts, port, host)}/metrics", err=True)
    asyncio.run(_until_told(_bridge(bridge, service, counts, running, every)))


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run it until it ends or a signal does; a second signal ends its leaving too."""
    task = asyncio.create_task(work)
    with contextlib.suppress(NotImplementedError):  # on Windows, where ^C cancels it without
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _bridge(
    bridge: Bridge, service: Service, counts: Counts, running: Running, every: float
) -> None:
    from larnn_cli.bridge.asks import Asks

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
            await running(asks)


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


def _warn(username: str | None, secure: bool, hosts: Iterable[str]) -> None:
    if username is not None and not secure and not all(map(is_here, hosts)):
        typer.echo("larnn: the password goes over the network in clear: add --broker-tls", err=True)


def _password() -> str:
    if (password := os.environ.get("LARNN_BROKER_PASSWORD")) is None:
        raise typer.BadParameter("set LARNN_BROKER_PASSWORD", param_hint="--username")
    return password


def _trusting(ca: Path | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca)
