"""A second task, as small as can be: a line fitted to noisy points, through the same run as reinforcement learning."""

import torch
from lightning.pytorch import Callback, LightningModule
from torch import nn

from qtrl.meters import RunMeters
from qtrl.tasks import RunLength


class LineFit(LightningModule):
    """Least squares with Adam; counts its updates as every learner does."""

    def __init__(self, meters):
        super().__init__()
        self.line, self.meters = nn.Linear(1, 1), meters
        self.env_steps = self.updates = 0
        self.metrics = {}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.05)

    def training_step(self, batch, batch_idx):
        inputs, targets, self.env_steps = batch
        self.updates += 1
        loss = nn.functional.mse_loss(self.line(inputs), targets)
        self.metrics = {"loss/critic": loss.detach()}
        return loss

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch

    def on_save_checkpoint(self, checkpoint):
        checkpoint["env_steps"], checkpoint["updates"] = self.env_steps, self.updates

    def on_load_checkpoint(self, checkpoint):
        self.env_steps, self.updates = checkpoint["env_steps"], checkpoint["updates"]
        for part in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            part["processed"] = part["completed"] = 0


class Points:
    """Batches of eight random points, counted like env steps."""

    def __init__(self, seed, total, stop):
        self.env_steps, self.begun = 0, False
        self._total, self._stop, self._listener = total, stop, lambda count: None
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self):
        return 10**12

    def __iter__(self):
        self.begun = True
        while self.env_steps < self._total:
            self._stop.check()
            inputs = torch.rand(8, 1, generator=self._generator)
            self.env_steps += 8
            self._listener(self.env_steps)
            yield inputs, 3 * inputs - 1, self.env_steps

    def commit(self):
        pass

    def status(self):
        return ""

    def listen(self, listener):
        self._listener = listener

    def state_dict(self):
        return {"env_steps": self.env_steps, "generator": self._generator.get_state()}

    def load_state_dict(self, state):
        self.env_steps = state["env_steps"]
        self._generator.set_state(state["generator"])


class SlopeTest(Callback):
    """Tests once, at the end: how near the slope is to 3."""

    def __init__(self):
        self.last = self.best_at = None

    def on_train_end(self, trainer, pl_module):
        self.last, self.best_at = -abs(pl_module.line.weight.item() - 3), pl_module.env_steps

    def state_dict(self):
        return {}

    def score(self, metric):
        return self.last

    def summary(self):
        return {"return_mean": self.last, "best_return_mean": self.last}

    def status(self):
        return ""

    def result(self):
        return f"slope is {-self.last:.3f} off"


class Line:
    """The task: its parameters are keys of the config."""

    def __init__(self, total_env_steps, tags):
        self._total, self.tags = total_env_steps, tags

    def facts(self):
        return {"points": "3 x - 1"}

    def length(self, world_size):
        return RunLength(self._total, checkpoint_every=1_000)

    def make_module(self, context):
        torch.manual_seed(context.seed)
        return LineFit(RunMeters())

    def check(self, module, context):
        pass

    def make_data(self, module, context):
        return Points(context.seed, self._total, context.stop)

    def make_test(self, context):
        return SlopeTest()

    def make_callbacks(self, context):
        return []

    def metric_names(self, module):
        return ("env_steps", "updates", "loss/critic", "train/return", "test/return_mean")

    def describe(self, module, device):
        return "a line"

    def draw(self, run_dir):
        (run_dir / "line.txt").write_text("a line")

    def explain(self, error, module):
        return None
