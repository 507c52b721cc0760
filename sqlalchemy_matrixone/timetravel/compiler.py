"""Compile historical tables: the hint between a table and its alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.util import memoized_property

from ..core.compilers import StatementCompilerPart
from ..core.release import Feature, format_release
from ..core.sqlalchemy_internals import CompiledSelect, enclosing_froms, generated_alias, options_of, values_of
from ..exc import MatrixOneArgumentError, MatrixOneCompileError
from .entities import load_past_detached
from .point_in_time import AsOfOption, PointInTime
from .tables import AsOfTable

if TYPE_CHECKING:
    from sqlalchemy import TextClause, TextualSelect
    from sqlalchemy.sql import TableClause, dml


SEVERAL_POINTS_IN_TIME = (
    "a statement can read only one point in time, and nothing was sent: MatrixOne would silently read all AS OF "
    "tables at one of them. Read current rows together with one point in time, execute one statement for each, or "
    "compare two snapshots of a table with DiffBranch(as_of(…), as_of(…))"
)


class AsOfCompiler(StatementCompilerPart):
    """Part of the statement compiler: ``orders {SNAPSHOT = `s`} AS o``.

    :ivar points_in_time: the points in time at which the statement reads historical tables. They have to be the same,
        which is known only when the statement is executed, with its values.
    """

    def __init__(self, *args: Any, **kw: Any) -> None:
        self.points_in_time: list[PointInTime] = []
        super().__init__(*args, **kw)
        if (compiled := CompiledSelect.of(self.compile_state)) is not None:
            load_past_detached(compiled)

    def visit_insert(self, insert_stmt: dml.Insert, *args: Any, **kw: Any) -> str:
        _refuse_writing(insert_stmt)
        return super().visit_insert(insert_stmt, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_update(self, update_stmt: dml.Update, *args: Any, **kw: Any) -> str:
        _refuse_writing(update_stmt)
        return super().visit_update(update_stmt, *args, **kw)

    def visit_delete(self, delete_stmt: dml.Delete, *args: Any, **kw: Any) -> str:
        _refuse_writing(delete_stmt)
        return super().visit_delete(delete_stmt, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_moment(self, moment: PointInTime, **kw: Any) -> str:
        return f"{{{moment.kind} = {self.process(moment.value, **kw)}}}"

    def visit_past_table(self, past: AsOfTable, **kw: Any) -> str:
        return self.visit_alias(past, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_table(  # type: ignore[override]
        self, table: TableClause, asfrom: bool = False, enclosing_alias: Any = None, **kw: Any
    ) -> str:
        kw |= {"asfrom": asfrom, "enclosing_alias": enclosing_alias}
        if not asfrom:
            return super().visit_table(table, **kw)  # type: ignore[no-any-return, no-untyped-call]
        moment = self._point_in_time_for(table, enclosing_alias)
        if moment is None:
            self._refuse_present_within_past(table)
            return super().visit_table(table, **kw)  # type: ignore[no-any-return, no-untyped-call]
        self._add_point_in_time(moment)
        return self._render_as_of(table, moment, **kw)

    def _point_in_time_for(self, table: TableClause, enclosing_alias: Any) -> PointInTime | None:
        """Return the point in time of a table: that of its alias, else of the whole statement, else None."""
        if isinstance(enclosing_alias, AsOfTable) and enclosing_alias.element is table:
            return enclosing_alias.moment
        return self._point_in_time_of_all

    def _render_as_of(
        self,
        table: TableClause,
        moment: PointInTime,
        *,
        enclosing_alias: Any,
        iscrud: bool = False,
        fromhints: Any = None,
        ambiguous_table_name_map: Any = None,
        **kw: Any,
    ) -> str:
        """Return a table's name and its AS OF clause.

        Anything else that SQLAlchemy appends to the name, such as a disambiguating alias or a hint, must follow that
        clause.
        """
        name = super().visit_table(table, enclosing_alias=enclosing_alias, iscrud=iscrud, **kw)  # type: ignore[no-untyped-call]
        values = {flag: kw.get(flag, False) for flag in ("literal_binds", "render_postcompile")}
        text = f"{name} {self.process(moment, **values)}"
        is_aliased = enclosing_alias is not None and enclosing_alias.element is table
        if not is_aliased and not self.preparer.schema_for_object(table):
            text += self._alias_of_namesake(table, ambiguous_table_name_map or {})
        if fromhints and table in fromhints:
            text = self.format_from_hint_text(text, table, fromhints[table], iscrud)  # type: ignore[no-untyped-call]
        return text

    def _add_point_in_time(self, moment: PointInTime) -> None:
        if self.points_in_time and self.points_in_time[0].kind != moment.kind:
            raise MatrixOneArgumentError(SEVERAL_POINTS_IN_TIME)
        self.points_in_time.append(moment)
        self._server.enable_time_travel()

    def _refuse_present_within_past(self, table: TableClause) -> None:
        """Refuse a current table within a historical query: before 3.0 the server silently reads old rows of it."""
        feature = Feature.PRESENT_WITHIN_PAST
        if self._supports(feature):
            return
        if any(isinstance(outer, AsOfTable) for outer in enclosing_froms(self)):
            raise MatrixOneCompileError(
                f"{feature.sql} needs MatrixOne {format_release(feature.since)} or later: an older server reads "
                f"{table.name!r} as historical as well. Join it instead."
            )

    def _alias_of_namesake(self, table: TableClause, names: dict[str, Any]) -> str:
        if table.name not in names:
            return ""
        name = generated_alias(self, names[table.name])
        return self.get_render_as_alias_suffix(self.preparer.format_alias(None, name))  # type: ignore[no-any-return, no-untyped-call]

    def visit_textclause(self, textclause: TextClause, *args: Any, **kw: Any) -> str:
        if kw.get("asfrom") and self._point_in_time_of_all is not None:
            raise MatrixOneCompileError(
                f"{textclause.text!r} in FROM cannot be read AS OF a point in time: pass a Table"
            )
        return super().visit_textclause(textclause, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_textual_select(self, taf: TextualSelect, *args: Any, **kw: Any) -> str:
        if self._point_in_time_of_all is not None:
            raise MatrixOneCompileError("text() cannot be read AS OF a point in time, because its tables are unknown")
        return super().visit_textual_select(taf, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    @memoized_property
    def _point_in_time_of_all(self) -> PointInTime | None:
        """Return the point in time of the whole statement; tables with their own ``as_of()`` have another."""
        options = reversed(options_of(self.statement))
        return next((option.moment for option in options if isinstance(option, AsOfOption)), None)


def _refuse_writing(statement: dml.Insert | dml.Update | dml.Delete) -> None:
    if isinstance(statement.table, AsOfTable):
        raise MatrixOneCompileError(f"historical tables are read-only: pass {statement.table.element.name!r} itself")


def check_bound_points_in_time(compiled: AsOfCompiler, context: Any) -> None:
    """Check that the bound parameters of a statement make it read one point in time.

    :raises MatrixOneArgumentError: if it would read several.
    """
    if len(compiled.points_in_time) < 2:
        return
    for values in values_of(context):
        texts = {moment.text(values[compiled.bind_names[moment.value]]) for moment in compiled.points_in_time}
        if len(texts) > 1:
            raise MatrixOneArgumentError(SEVERAL_POINTS_IN_TIME)
