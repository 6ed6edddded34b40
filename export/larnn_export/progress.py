"""A training run to its end, shown on the terminal and kept on disk."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from larnn_export.resume import save_last
from larnn_export.train import Trainer

COLUMNS = (
    TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
    BarColumn(),
    TextColumn("loss {task.fields[loss]:.3f}  held out {task.fields[accuracy]}"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def train_showing(trainer: Trainer) -> None:
    """Train; each epoch is on disk before the next, one line each where there is no terminal."""
    console = Console()
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    console.print(f"{trainer.network.config.family}: {parameters:,} parameters → {trainer.run}")
    epochs, batches = trainer.config.epochs, trainer.batches_per_epoch
    last = trainer.history[-1] if trainer.history else {}
    with Progress(*COLUMNS, console=console, refresh_per_second=2) as progress:
        task = progress.add_task(
            "",
            total=epochs * batches,
            completed=len(trainer.history) * batches,
            epoch=min(len(trainer.history) + 1, epochs),
            epochs=epochs,
            loss=last.get("loss", float("nan")),
            accuracy=f"{last['accuracy']:.2%}" if "accuracy" in last else "–",
        )

        def on_batch(epoch: int, batch: int, loss: float) -> None:
            progress.update(task, completed=(epoch - 1) * batches + batch, epoch=epoch, loss=loss)

        for record in trainer.fit(on_batch):
            save_last(trainer)
            if "accuracy" in record:
                progress.update(task, accuracy=f"{record['accuracy']:.2%}")
            if not console.is_terminal:
                console.print(" ".join(f"{key} {value:.6g}" for key, value in record.items()))
    trainer.save()
