"""Tables of examples: those that ship with scikit-learn, files of the user's own, and their split."""

from qtrl.data.tables.bundled import breast_cancer, diabetes, digits, moons
from qtrl.data.tables.files import table_file
from qtrl.data.tables.split import Part, Split, split_table
from qtrl.data.tables.table import KINDS, Table, make_table

__all__ = ["KINDS", "Part", "Split", "Table", "breast_cancer", "diabetes", "digits", "make_table", "moons"]
__all__ += ["split_table", "table_file"]
