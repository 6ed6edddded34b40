"""Every setting: an environment variable LARNN_NAME, and a flag of `python -m service`."""

from __future__ import annotations

import ipaddress
import re
import secrets
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    SecretStr,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from larnn_service.capture_settings import CaptureSettings
from larnn_service.contract import ModelName
from larnn_service.cores import cores
from larnn_service.variables import service_links

_STORE = re.compile(r"memory|sqlite:////.+|(redis|valkey)s?(\+cluster|\+sentinel)?://.+|unix://.+")

_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def entries(setting: str) -> list[str]:
    """Those of a setting that lists them: `A,B,…`."""
    return [entry for part in setting.split(",") if (entry := part.strip())]


def models_folder() -> Path:
    """`models` here, where it holds one, else the models that are installed as larnn-models."""
    here = Path("models")
    installed = find_spec("larnn_models")
    if any(here.glob("*/*/model.json")) or installed is None:
        return here
    return Path(*installed.submodule_search_locations or ())


class Settings(CaptureSettings):
    """Defaults suit one replica on a developer's machine; sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="LARNN_",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=False,  # a list's default is empty, and nobody may set it so
        cli_prog_name="python -m service",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        hide_input_in_errors=True,  # a store's address may have a password
    )

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one and logs it."""
    root_path: str = ""
    """Path of the service behind a proxy, as /name: requests may have it before their own."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz without keys; 0 takes a free one and logs it.
    /metrics is then there alone. The first of several processes takes it, each other the next."""
    grpc_port: int | None = Field(None, ge=0, le=65535)
    """Port of the Open Inference Protocol's gRPC; 0 takes a free one and logs it."""
    models: str = Field(default_factory=lambda: str(models_folder()))
    """Folder of exported models, <name>/<version>/model.json, or where to fetch one from:
    s3://bucket/path, hf://owner/name, models:/name@alias"""
    models_cache: Path = Path("~/.cache/larnn/models")
    """Folder for models that are fetched."""
    models_poll: float | None = Field(None, gt=0)
    """How often the models are looked at again, and loaded where they changed."""
    served_as: str = ""
    """Name of the only model towards clients, where it is not the one of its manifest."""
    model: str = ""
    """The model that answers a request which names none. The default is the folder's only model,
    and larnn-har where there are several."""
    versions: int = Field(1, ge=1)
    """Versions of one model that serve side by side: those that were loaded last."""
    load_timeout: float = Field(60.0, gt=0)
    """How long a version may take to be read, loaded and run for the first time."""
    fetch_timeout: float = Field(240.0, gt=0)
    """How long models may take to be fetched from where they are, all together."""
    max_model: int = Field(2 * 2**30, ge=1)
    """Size of a version's files together."""
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    """Execution provider. A provider asked for and missing refuses to start."""
    unsure: bool = False
    """Answer `unsure` in place of a label where a model's novelty is beyond its threshold."""
    store: str = Field("memory", repr=False)
    """Where streams rest: memory, sqlite:////absolute/path, redis://host:port/0, rediss://…,
    redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/service"""
    store_ttl: float = Field(86_400.0, gt=0)
    """How long SQLite and Valkey keep a stream that nobody touches."""
    store_timeout: float = Field(5.0, gt=0)
    """How long the store may take to answer."""
    store_connections: int = Field(32, ge=1)
    """Connections to each Valkey or Redis server; checkpoints share them."""
    store_replicas: int = Field(0, ge=0)
    """Replicas of that server that must have a write before it counts."""
    store_replicas_on_disk: bool = False
    """They must have it on their disks, and the server on its own."""
    checkpoint_steps: int = Field(100, ge=1)
    """A stream is written to the store at the latest after so many steps."""
    checkpoint_interval: float = Field(1.0, gt=0)
    """And at the latest so long after a step."""
    secret: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_hex(32)))
    """Key that signs stream ids; unless set, one that the store keeps, or the process."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log line that is written; debug has a line for each request."""
    log_format: Literal["text", "json"] = "text"
    """Log lines for people, or one JSON object a line."""

    api_keys: str = ""
    """Keys that open the service, as NAME:SHA256,…; none opens it to anyone who reaches it."""
    operators: str = ""
    """Names of keys that may load, unload and migrate models, and shed connections, as NAME,…"""
    allow_anyone: bool = False
    """Listen on a public address without keys."""
    allowed_hosts: str = ""
    """Names by which the service may be asked beside localhost, as NAME,*.NAME,… or * for any."""
    allowed_origins: str = ""
    """Origins whose web pages may use the service, as https://host,https://*.host,…; its own
    always may."""
    tls_cert: Path | None = None
    """Certificate chain, PEM: the service then speaks https."""
    tls_key: Path | None = None
    """Private key of the certificate, PEM, without a passphrase."""

    workers: int = Field(1, ge=1)
    """Processes on this port, each with its share of the cores; they need a store to share."""
    worker_port: int | None = Field(None, ge=1, le=65535)
    """First of as many ports, at which each of several processes is reached alone: for metrics and
    operators."""
    worker_timeout: float = Field(30.0, gt=0)
    """One of several processes whose event loop stands still for so long is replaced."""
    concurrency: int = Field(default_factory=cores, ge=1)
    """Runs of the model side by side in a process; one thread each. The default is its cores, as
    far as a container's quota goes."""
    max_batch_size: int = Field(64, ge=1)
    """Rows in one run."""
    max_run_steps: int = Field(256, ge=1)
    """Steps in one run: a longer sequence takes several, so that it cannot stall live streams."""
    max_run_row_steps: int = Field(2_048, ge=1)
    """Rows times steps in one run: the more rows, the fewer steps each moves on."""
    max_waiting_steps: int = Field(1_048_576, ge=1)
    """Steps that may wait for a run; beyond it the service answers `full`."""
    max_waiting_bytes: int = Field(256 * 2**20, ge=1)
    """Bytes of all requests and messages that are not answered yet; beyond it `full`."""
    request_timeout: float = Field(30.0, gt=0)
    """How long work may wait and run before the service answers `full`; a run is then ended."""

    max_connections: int = Field(10_000, ge=1)
    """Open HTTP connections and websockets, and as many of gRPC, or as the system's limit of open
    files leaves room for. Those that have been silent for longest make room for new ones."""
    max_connection_age: float | None = Field(None, gt=0)
    """How long a websocket on a stream may last before its client is asked to connect anew."""
    max_body: int = Field(32 * 2**20, ge=1)
    """Size of an HTTP body."""
    max_sequences: int = Field(1_024, ge=1)
    """Sequences in one classify request."""
    max_sequence_steps: int = Field(32_768, ge=1)
    """Steps in one sequence of a classify request."""
    max_request_steps: int = Field(131_072, ge=1)
    """Steps in one classify request, all sequences together."""
    max_chunk_steps: int = Field(1_024, ge=1)
    """Steps in one chunk of a stream."""
    max_message: int = Field(4 * 2**20, ge=1)
    """Size of a message, by websocket and by gRPC."""
    max_streams: int = Field(10_000, ge=1)
    """Open streams."""
    max_at_work_per_key: int = Field(1_000, ge=1)
    """Requests and websockets of one API key at a time; beyond it the service answers `full`."""
    max_unacked_steps: int = Field(32_768, ge=1)
    """Steps of a stream whose answers are kept until the client acknowledges them."""
    max_kept_bytes: int = Field(256 * 2**20, ge=1)
    """Bytes of all such answers; beyond it the service answers `backpressure`."""
    max_ahead: int = Field(16, ge=1)
    """Chunks in work at a time of all clients that send before they are answered; beside live
    streams an eighth of it."""
    arrival_timeout: float = Field(10.0, gt=0)
    """How long a request's head may take to come, and each 10 KiB of its body."""
    keep_alive: float = Field(75.0, gt=0)
    """How long a connection is kept that asks nothing; longer than a proxy in front keeps it."""
    send_timeout: float = Field(10.0, gt=0)
    """How long a client may leave waiting answers unread before its connection is closed."""
    idle_timeout: float = Field(300.0, gt=0)
    """A stream that nobody touches for so long leaves memory: for its store, or for good. A gRPC
    conversation that sends nothing for so long is ended."""
    drain_delay: float = Field(0.0, ge=0)
    """How long the service goes on after SIGTERM, not ready any more, before it drains: until
    balancers send nothing more."""
    drain_timeout: float = Field(10.0, gt=0)
    """How long running work may take to end after SIGTERM; the process ends within twice that."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables; those that Kubernetes made are none."""
        if isinstance(env_settings, EnvSettingsSource):
            links, found = service_links(env_settings.env_vars), env_settings.env_vars
            env_settings.env_vars = {name: found[name] for name in found if name not in links}
        return init_settings, env_settings

    @property
    def is_local(self) -> bool:
        """Whether none but this machine reaches the address to listen on."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @field_validator("store")
    @classmethod
    def _store_is_known(cls, store: str) -> str:
        if not _STORE.fullmatch(store):
            raise ValueError(
                "say memory, sqlite:////absolute/path, redis://host:port/0, "
                "redis+cluster://host:port,host:port or redis+sentinel://host:port/service"
            )
        return store

    @field_validator("served_as")
    @classmethod
    def _a_name_is_one(cls, name: str) -> str:
        """Empty it is none, as where a chart or a file of variables leaves it so."""
        return name and TypeAdapter(ModelName).validate_python(name)

    @field_validator("models", mode="before")
    @classmethod
    def _a_path_is_text(cls, models: object) -> object:
        return str(models) if isinstance(models, Path) else models

    @field_validator("root_path")
    @classmethod
    def _a_path_has_an_end(cls, path: str) -> str:
        """Without the slash at its end."""
        path = path.rstrip("/")
        if path and not _ROOT_PATH.fullmatch(path):
            raise ValueError("say /name, or /name/of/more, of letters, digits, . _ ~ -")
        return path

    @field_validator("api_keys", "operators", "allowed_hosts", "allowed_origins", "capture_owners")
    @classmethod
    def _a_list_that_is_set_has_entries(cls, setting: str, info: ValidationInfo) -> str:
        """What was meant to keep others out is not taken for nothing."""
        if not entries(setting):
            name = f"LARNN_{info.field_name}".upper()
            raise ValueError(f"{name} is set and names nothing; leave it out, or name its entries")
        return setting

    @model_validator(mode="after")
    def _replicas_are_of_a_server(self) -> Settings:
        if self.store_replicas and self.store.startswith(("memory", "sqlite")):
            raise ValueError("store_replicas are those of Valkey or Redis: name it as the store")
        if self.store_replicas_on_disk and not self.store_replicas:
            raise ValueError("store_replicas_on_disk needs store_replicas: say how many")
        return self

    @model_validator(mode="after")
    def _streams_outlive_old_connections(self) -> Settings:
        if self.max_connection_age is not None and self.store == "memory":
            raise ValueError(
                "max_connection_age sends streams to other replicas: name a store that they share"
            )
        return self

    @model_validator(mode="after")
    def _ports_are_different(self) -> Settings:
        names = ("port", "metrics_port", "grpc_port", "worker_port")
        for first, second in combinations(names, 2):
            if (port := getattr(self, first)) and port == getattr(self, second):
                raise ValueError(f"{first} and {second} are both {port}: each needs its own")
        return self

    @model_validator(mode="after")
    def _the_largest_has_room(self) -> Settings:
        if self.max_waiting_bytes < max(self.max_body, self.max_message):
            raise ValueError("max_waiting_bytes must be at least max_body and max_message")
        return self
