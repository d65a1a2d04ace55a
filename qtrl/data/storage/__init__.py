"""TorchRL storages whose rows outlast the process."""

from qtrl.data.storage.capacity import check_capacity
from qtrl.data.storage.row_storage import STORAGES, MemmapStorage, MemoryStorage, RowStorage, storage_named

__all__ = ["STORAGES", "MemmapStorage", "MemoryStorage", "RowStorage", "check_capacity", "storage_named"]
