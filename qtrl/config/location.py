"""Where the configs lie."""

from pathlib import Path

import qtrl
from qtrl.errors import ConfigError


def config_dir() -> str:
    """Return the folder of the configs: inside an installed package, beside it in a checkout.

    Raises:
        ConfigError: They are in neither place.
    """
    package = Path(qtrl.__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "train.yaml").is_file():
            return str(folder)
    raise ConfigError(f"no configs in {package} nor beside it; install qtrl again")
