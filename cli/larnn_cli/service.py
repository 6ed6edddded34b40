"""Which service a command asks, and as whom: the options that several commands share."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from larnn_cli.local import serving

if TYPE_CHECKING:
    from larnn_client import AsyncClient, Client, Model

PANEL = "Service"
DEFAULT_URL = "http://127.0.0.1:8000"
Url = Annotated[
    list[str] | None,
    typer.Option(
        envvar="LARNN_URL",
        rich_help_panel=PANEL,
        help="its address; again for each further replica",
        show_default=DEFAULT_URL,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="LARNN_KEY",
        rich_help_panel=PANEL,
        help="an API key; the variable keeps it out of the list of processes",
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, rich_help_panel=PANEL, help="certificates to trust, PEM"
    ),
]
RetryFor = Annotated[
    float, typer.Option(min=0, rich_help_panel=PANEL, help="seconds without success to give up")
]
Local = Annotated[
    bool,
    typer.Option(
        "--local", rich_help_panel=PANEL, help="run the models in this process: no service needed"
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", "-m", help="see larnn models", show_default="the service's default"),
]
Array = Annotated[str | None, typer.Option(help="array of an .npz", show_default="signals")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(help="a further output to tell; again for each"),
]
Json = Annotated[bool, typer.Option("--json", help="write JSON to the standard output")]


@dataclass(frozen=True)
class Service:
    """What these options say."""

    urls: list[str] | None
    key: str | None
    ca: Path | None
    retry_for: float
    local: bool

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client of that service. Raises LarnnError, StartupError."""
        from larnn_client import Client

        urls, tls = self._urls(), self._tls()
        with contextlib.ExitStack() as stack:
            if self.local:
                urls = [stack.enter_context(serving())]
            yield stack.enter_context(
                Client(*urls, key=self.key, tls=tls, retry_for=self.retry_for)
            )

    def asynchronous(self) -> AsyncClient:
        """An async client of that service, which runs elsewhere."""
        from larnn_client import AsyncClient

        return AsyncClient(*self._urls(), key=self.key, tls=self._tls(), retry_for=self.retry_for)

    def _urls(self) -> list[str]:
        urls = self.urls or [DEFAULT_URL]
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise typer.BadParameter(
                    f"{url!r}: write http://… or https://…", param_hint="--url"
                )
        return urls

    def _tls(self) -> ssl.SSLContext | None:
        if self.ca is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise typer.BadParameter(f"{self.ca}: {error.reason}", param_hint="--ca") from error


def chosen(client: Client, name: str | None) -> Model:
    """The model of that name, or the default one."""
    served = client.models()
    wanted = name or served.default
    for model in served.models:
        if model.name == wanted:
            return model
    known = ", ".join(model.name for model in served.models)
    raise typer.BadParameter(f"{wanted!r} is none of {known}", param_hint="--model")
