"""The tables by name."""

from collections.abc import Sequence

from mtdepth.files import UserError
from mtdepth.reproduce import mininet_paper, multitask_paper
from mtdepth.reproduce.table import Table

TABLES: dict[str, Table] = {
    table.name: table for table in (*multitask_paper.TABLES, *mininet_paper.TABLES)
}


def tables_named(names: Sequence[str]) -> list[Table]:
    """The tables of these names, each once.

    Raises:
      UserError: If there is none of a name.
    """
    if wrong := [name for name in names if name not in TABLES]:
        raise UserError(f"--table: no table {wrong[0]!r}; there are {', '.join(TABLES)}")
    return [TABLES[name] for name in dict.fromkeys(names)]
