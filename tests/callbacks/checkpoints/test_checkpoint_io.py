import torch

from qtrl.callbacks import AtomicCheckpointIO


def checkpoint(env_steps):
    return {"state_dict": {"weight": torch.ones(2)}, "env_steps": env_steps}


def test_lightning_gets_back_what_it_saved_whatever_it_says_of_weights_only(tmp_path):
    plugin, path = AtomicCheckpointIO(), tmp_path / "folder" / "last.ckpt"
    plugin.save_checkpoint(checkpoint(7), str(path))
    assert plugin.load_checkpoint(str(path), weights_only=False)["env_steps"] == 7


def test_a_checkpoint_that_was_validated_is_what_lightning_restores_once(tmp_path):
    plugin, paths, validated = AtomicCheckpointIO(), [tmp_path / name for name in ("last.ckpt", "best.ckpt")], {}
    for env_steps, path in enumerate(paths):
        plugin.save_checkpoint(checkpoint(env_steps), path)
    plugin.hand_out(paths[0], validated)
    assert plugin.load_checkpoint(paths[1])["env_steps"] == 1
    assert plugin.load_checkpoint(str(paths[0])) is validated
    assert plugin.load_checkpoint(paths[0])["env_steps"] == 0
