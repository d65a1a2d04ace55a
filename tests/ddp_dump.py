"""Trains as `python -m qtrl.train` does; at the end every rank writes what it has beside the run folder."""

import torch
from lightning.pytorch import Callback

from qtrl import train
from qtrl.callbacks.protocols import source_of
from qtrl.keys import OBSERVATION
from qtrl.tasks import RL


class Dump(Callback):
    def __init__(self, folder):
        self.folder = folder

    def on_train_end(self, trainer, pl_module):
        replay = source_of(trainer).replay
        rows = replay.draw(20 * len(replay), torch.Generator().manual_seed(0))  # all of them, nearly surely
        dump = {
            "weights": pl_module.state_dict(),
            "env_steps": pl_module.env_steps,
            "updates": pl_module.updates,
            "rows": rows[OBSERVATION].unique(dim=0),
            "world_size": trainer.world_size,
            "backend": torch.distributed.get_backend(),
        }
        torch.save(dump, self.folder / f"rank{trainer.global_rank}.pt")


def with_dump(make):
    return lambda task, context: [*make(task, context), Dump(context.run_dir.parent)]


if __name__ == "__main__":
    RL.make_callbacks = with_dump(RL.make_callbacks)
    train.main()
