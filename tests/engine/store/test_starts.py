"""A start tries what the service will do, and says why it cannot, and what to do about it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from benchmarks.server import free_port
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head
from larnn_service.engine.store.valkey.awaited import NONE, Awaited
from larnn_service.errors import StartupError
from tests import valkey, valkeys
from tests.docs import page
from tests.engine.store.streams import checkpoint

SECRET = "Xq7vZk%2F%40"
RULES = re.search(r"ACL SETUSER larnn (.*)", page.read("deployment.md"))


def refusal(address: str, awaited: Awaited = NONE) -> str:
    """What a start with this address says."""
    store = open_store(address, ttl=60, timeout=2, awaited=awaited)
    with pytest.raises(StartupError) as refused:
        store.prepare()
    text = str(refused.value)
    assert text.startswith("LARNN_STORE") and "\n" not in text
    assert SECRET not in text and "Xq7vZk" not in text
    return text


@pytest.fixture
def operator(valkey_server: valkey.Server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_server.url) as client:
        yield client


def test_an_address_where_nobody_is(valkey_server: valkey.Server) -> None:
    port = free_port()
    for scheme, path in (("redis", "0"), ("redis+cluster", ""), ("redis+sentinel", "streams")):
        told = refusal(f"{scheme}://:{SECRET}@127.0.0.1:{port}/{path}")
        assert "127.0.0.1" in told and "start" in told and str(port) not in told


@pytest.mark.parametrize(
    ("scheme", "path"), [("redis", "0"), ("redis+cluster", ""), ("redis+sentinel", "streams")]
)
def test_an_address_where_somebody_listens_and_says_nothing(scheme: str, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = refusal(f"{scheme}://:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/{path}")
    assert "127.0.0.1" in told and "start" in told


def test_a_socket_where_somebody_listens_and_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert "at the socket does not serve (TimeoutError)" in refusal(f"unix://{path}")


def test_a_wrong_password(valkey_server: valkey.Server, operator: redis.Redis) -> None:
    host = f"127.0.0.1:{valkey_server.port}"
    assert "refuses the name or the password" in refusal(f"redis://nobody:{SECRET}@{host}")
    operator.acl_setuser("reader", enabled=True, passwords=["+pass"], keys=["*"], commands=["+get"])
    assert "refuses a command to this user" in refusal(f"redis://reader:pass@{host}")


async def test_the_rules_on_the_page_are_enough_and_no_more(
    valkey_server: valkey.Server, operator: redis.Redis
) -> None:
    assert RULES is not None
    rules = RULES[1].replace(">PASSWORD", ">pass").split()
    operator.execute_command("ACL SETUSER", "larnn", *rules)  # type: ignore[no-untyped-call]
    address = f"redis://larnn:pass@127.0.0.1:{valkey_server.port}"
    store = open_store(address, ttl=60, timeout=30)
    store.prepare()
    assert store.keep_secret("secret")
    head = await store.create(checkpoint("by the rules"), "key by the rules")
    assert isinstance(head, Head)
    assert await store.take("by the rules") is not None
    await store.close()
    with redis.Redis.from_url(address) as client:
        for words in (["FLUSHALL"], ["KEYS", "*"], ["GET", "another"], ["CONFIG", "GET", "*"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)


def test_a_server_of_another_kind_than_the_address_says(
    valkey_server: valkey.Server,
    valkey_cluster: valkeys.Cluster,
    valkey_watched: valkeys.Watched,
) -> None:
    def at(port: int) -> str:
        return f"127.0.0.1:{port}"

    primary, replica = valkey_watched.servers[:2]
    assert "say redis+cluster://" in refusal(f"redis://{at(valkey_cluster.nodes[0].port)}")
    assert "say redis+sentinel://" in refusal(f"redis://{at(valkey_watched.sentinels[0].port)}")
    assert "is a replica" in refusal(f"redis://{at(replica.port)}")
    assert "say redis://" in refusal(f"redis+cluster://{at(valkey_server.port)}")
    assert "no Sentinel" in refusal(f"{valkey_watched.url}s")
    assert "is no Sentinel" in refusal(f"redis+sentinel://{at(primary.port)}/streams")


def test_fewer_replicas_than_are_awaited(
    valkey_server: valkey.Server, valkey_watched: valkeys.Watched
) -> None:
    told = refusal(valkey_server.url, Awaited(1))
    assert told.startswith("LARNN_STORE_REPLICAS=1: 0 of 1 replicas")
    assert "2 of 3 replicas" in refusal(valkey_watched.url, Awaited(3))
    assert "appendonly yes" in refusal(valkey_watched.url, Awaited(1, on_disk=True))


def test_a_server_that_takes_no_writes(valkey_server: valkey.Server, tmp_path: Path) -> None:
    with valkey.running(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", 1)
        assert "refuses what the service asks (OutOfMemoryError" in refusal(server.url)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A server that speaks TLS and asks for a certificate; where it is, and the files."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    files = {name: folder / f"{name}.pem" for name in ("ca", "server", "client")}
    authority.cert_pem.write_to_path(files["ca"])
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(files["server"])
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(files["client"])
    options = {"tls-port": free_port(), "tls-ca-cert-file": files["ca"]}
    options |= {"tls-cert-file": files["server"], "tls-key-file": files["server"]}
    node = valkey.Server(folder, options)
    with ExitStack() as stack:
        stack.callback(node.kill)
        try:
            node.start()
        except AssertionError:
            if "tls-port" in (folder / "log").read_text():
                pytest.skip("this server is built without TLS")
            raise
        yield files | {"host": f"127.0.0.1:{options['tls-port']}"}


async def test_certificates_on_both_sides(encrypted: dict[str, Any]) -> None:
    address = "rediss://{host}/0".format(**encrypted)
    both = "?ssl_ca_certs={ca}&ssl_certfile={client}&ssl_keyfile={client}".format(**encrypted)
    assert "ssl_ca_certs=" in refusal(address)
    assert "ssl_certfile=" in refusal(f"{address}{both.partition('&')[0]}")
    assert "is not there" in refusal(f"{address}{both}x")
    assert "is not there" in refusal("unix:///no/socket")
    store = open_store(address + both, ttl=60, timeout=30)
    store.prepare()
    assert isinstance(await store.create(checkpoint("encrypted")), Head)
    await store.close()
