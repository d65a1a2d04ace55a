"""The check that every constructor of a model makes."""

from qtrl.errors import ConfigError


def check_sizes(owner: str, **sizes: int) -> None:
    """Refuse a size that is not a whole number of at least 1.

    Raises:
        ConfigError: Names the owner and the first such size.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ConfigError(f"{owner}: {name} is {size}, expected a whole number of at least 1")
