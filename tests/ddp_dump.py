"""Trains as `python -m qtrl.train` does; at the end every rank writes what it has beside the run folder."""

from pathlib import Path

import torch
from lightning.pytorch import Callback

from qtrl import train
from qtrl.keys import OBSERVATION
from qtrl.run import build


class Dump(Callback):
    def __init__(self, folder):
        self.folder = folder

    def on_train_end(self, trainer, pl_module):
        stream = trainer.train_dataloader
        dump = {
            "weights": pl_module.state_dict(),
            "env_steps": pl_module.env_steps,
            "updates": pl_module.updates,
            "rows": stream.replay.buffer[: len(stream.replay)][OBSERVATION],
            "world_size": trainer.world_size,
            "backend": torch.distributed.get_backend(),
        }
        torch.save(dump, self.folder / f"rank{trainer.global_rank}.pt")


def with_dump(make):
    return lambda cfg, run_dir, *more: [*make(cfg, run_dir, *more), Dump(Path(run_dir).parent)]


if __name__ == "__main__":
    build.build_callbacks = with_dump(build.build_callbacks)
    train.main()
