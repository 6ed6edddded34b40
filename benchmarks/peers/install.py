"""python -m benchmarks install: an environment for each peer, apart from the project's."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.peers.base import Peer
from benchmarks.peers.registry import PEERS, SHERPA

FOLDER = Path("build/peers")
Folder = Annotated[
    Path, typer.Option("--peers", envvar="LARNN_PEERS", help="folder of the peers' environments")
]


def install(
    names: Annotated[list[str] | None, typer.Argument(help="peers; default: all")] = None,
    peers: Folder = FOLDER,
) -> None:
    """Install peers to be measured beside, each in an environment of its own."""
    failed, known = [], PEERS | {SHERPA.name: SHERPA}
    for name in names or known:
        if name not in known:
            raise typer.BadParameter(f"{name} is no peer; there are: {', '.join(known)}")
        peer = known[name]
        if not peer.requirements or peer.is_installed(peers):
            print(f"{name}: there already")
            continue
        print(f"{name}: {' '.join(peer.requirements)}", flush=True)
        if not _install(peer, peers):
            failed.append(name)
    if failed:
        print(f"did not install: {', '.join(failed)}; the others can be measured")
        raise typer.Exit(1)


def _install(peer: Peer, peers: Path) -> bool:
    folder = peer.folder(peers)
    commands: list[list[str | Path]] = [
        [peer.base_python, "-m", "venv", "--clear", folder],
        [folder / "bin" / "python", "-m", "pip", "install", "-q", *peer.requirements],
    ]
    whole = all(subprocess.run(command).returncode == 0 for command in commands)
    if whole:
        peer.mark_installed(peers)
    return whole
