"""One of our statements in Spark's dialect: parsed and typed by sqlglot, and refused where the meaning could change.

What the two dialects share sqlglot writes itself. What they do not (the first of a group in a stated order, days
between dates, months, macros) is rewritten here; a function that is in neither list is refused, never guessed.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import cast

from sqlglot import exp, parse_one
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from linkage import queries
from linkage.plan import Parameter
from schemas.errors import ConfigError

Schema = dict[str, dict[str, object]]
_MACRO = re.compile(r"create macro (\w+)\(([^)]*)\) as\s+(.+)", re.DOTALL)
_WORDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_NUMBERS = {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128}
_TEXTS = {exp.DType.TEXT, exp.DType.VARCHAR}
# Functions that mean the same in DuckDB, Sail and Spark for the values that our statements give them.
SAME = (
    *(exp.Abs, exp.Cast, exp.Coalesce, exp.Count, exp.Case, exp.If, exp.Greatest, exp.Least, exp.Max, exp.Min),
    *(exp.LogicalAnd, exp.LogicalOr, exp.Nullif, exp.RowNumber, exp.Struct, exp.Sum, exp.Year, exp.Month),
    *(exp.And, exp.Or, exp.Explode, exp.Array, exp.DateDiff, exp.DateAdd, exp.AddMonths, exp.Translate, exp.Concat),
    exp.DateFromParts,
)


def macros(names: Iterable[str]) -> dict[str, tuple[list[str], exp.Expr]]:
    """Parameters and body of each named macro of ours."""
    found = {}
    for name in names:
        called, given, body = _MACRO.search(queries.text(name)).groups()  # type: ignore[union-attr]
        found[called] = ([word.strip() for word in given.split(",")], parse_one(body, read="duckdb"))
    return found


def translate(
    name: str, values: Mapping[str, Parameter], schema: Schema, known: Mapping[str, tuple[list[str], exp.Expr]]
) -> tuple[str, str]:
    """The table that statement `name` makes, and the query that fills it, as Spark SQL.

    `schema` holds DuckDB's column types of every table. ConfigError untranslatable, with the statement, when it
    is not a `create table ... as`, or uses what this module does not know.
    """
    made = _statement(name)
    query = _bound(made.expression, values)
    query = _without_macros(query, known)
    query = qualify(query, dialect="duckdb", schema=dict(schema), quote_identifiers=False)
    query = annotate_types(query, schema=dict(schema), dialect="duckdb")
    try:
        number = itertools.count()  # no two structs of a statement alike: Sail tells columns apart by their text
        for step in (_grouped, _filtered, partial(_first, number), partial(_latest, number), _dated, _numbered):
            query = query.transform(step)
    except _UnknownOrder:
        raise ConfigError("untranslatable", statement=name) from None
    for node in query.find_all(exp.Func):
        if not isinstance(node, SAME):
            raise ConfigError("untranslatable", statement=name, function=node.sql_name().lower())
    return made.this.name, query.sql(dialect="spark", comments=False)


def reads(name: str) -> tuple[str, set[str]]:
    """The table a statement makes, and the tables it reads. ConfigError untranslatable."""
    made = _statement(name)
    own = {cte.alias for cte in made.find_all(exp.CTE)} | {made.this.name}
    return made.this.name, {table.name for table in made.find_all(exp.Table)} - own


def _statement(name: str) -> exp.Create:
    made = parse_one(queries.text(name), read="duckdb")
    if not isinstance(made, exp.Create) or made.kind != "TABLE" or made.expression is None:
        raise ConfigError("untranslatable", statement=name)
    return made


class _UnknownOrder(Exception):
    """A descending order over a type whose opposite is not known."""


def _bound(query: exp.Expr, values: Mapping[str, Parameter]) -> exp.Expr:
    def bind(node: exp.Expr) -> exp.Expr:
        return _literal(values[node.name]) if isinstance(node, exp.Placeholder) else node

    return query.transform(bind)


def _literal(value: Parameter) -> exp.Expr:
    if isinstance(value, dt.date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def _without_macros(query: exp.Expr, known: Mapping[str, tuple[list[str], exp.Expr]]) -> exp.Expr:
    def inline(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name.lower() not in known:
            return node
        names, body = known[node.name.lower()]
        given = dict(zip(names, node.expressions, strict=True))

        def fill(part: exp.Expr) -> exp.Expr:
            if isinstance(part, exp.Column) and not part.table and part.name in given:
                return exp.paren(given[part.name].copy())
            return part

        return exp.paren(body.copy().transform(fill))

    return query.transform(inline)


def _grouped(node: exp.Expr) -> exp.Expr:
    """`group by all`: every selected expression that aggregates nothing and is no constant."""
    if not isinstance(node, exp.Select) or not (group := node.args.get("group")) or not group.args.get("all"):
        return node
    keys = [one.unalias() for one in node.selects if not one.find(exp.AggFunc) and one.find(exp.Column)]
    node.set("group", exp.Group(expressions=[key.copy() for key in keys]))
    return node


def _filtered(node: exp.Expr) -> exp.Expr:
    """An aggregate of some rows: of an expression that is empty for the others."""
    if not isinstance(node, exp.Filter):
        return node
    condition, inner = node.expression.this, cast("exp.Expr", node.this.copy())
    if isinstance(inner.this, exp.Order):
        inner.this.set("filtered", condition.copy())
        return inner
    held = exp.Literal.number(1) if isinstance(inner.this, exp.Star) else inner.this
    inner.set("this", exp.Case().when(condition.copy(), held.copy()))
    return inner


def _first(number: Iterator[int], node: exp.Expr) -> exp.Expr:
    """The first of a group in a stated order: the least of (order, value), of which the value is taken."""
    if not isinstance(node, exp.First):
        return node
    if not isinstance(node.this, exp.Order):
        raise _UnknownOrder
    cells: list[exp.Expr] = []
    unique = next(number)
    for place, ordered in enumerate(node.this.expressions):
        is_first = bool(ordered.args.get("nulls_first"))
        empty = exp.Case().when(exp.Is(this=ordered.this.copy(), expression=exp.Null()), _int(not is_first))
        cells.append(_cell(f"e{unique}_{place}", empty.else_(_int(is_first))))
        cells.append(
            _cell(f"k{unique}_{place}", _opposite(ordered.this) if ordered.args.get("desc") else ordered.this.copy())
        )
    return _least(cells, node.this.this, node.this.args.get("filtered"), exp.Min)


def _latest(number: Iterator[int], node: exp.Expr) -> exp.Expr:
    """`arg_max` and `arg_min`: of the rows where both are known."""
    if not isinstance(node, (exp.ArgMax, exp.ArgMin)):
        return node
    best = exp.Max if isinstance(node, exp.ArgMax) else exp.Min
    told = [exp.Not(this=exp.Is(this=part.copy(), expression=exp.Null())) for part in (node.this, node.expression)]
    return _least([_cell(f"k{next(number)}", node.expression.copy())], node.this, exp.and_(*told), best)


def _least(cells: list[exp.Expr], value: exp.Expr, condition: exp.Expr | None, agg: type[exp.Expr]) -> exp.Expr:
    packed: exp.Expr = exp.Struct(expressions=[*cells, _cell("v", value.copy())])
    if condition is not None:
        packed = exp.Case().when(condition.copy(), packed)
    return exp.Dot(this=agg(this=packed), expression=exp.to_identifier("v"))


def _cell(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _int(value: bool) -> exp.Expr:
    return exp.Literal.number(int(value))


def _opposite(key: exp.Expr) -> exp.Expr:
    """An expression that grows as `key` falls: for dates, numbers, truth values and codes in capitals."""
    kind = key.type.this if key.type is not None else None
    value = exp.paren(key.copy())
    if kind == exp.DType.DATE:
        return exp.Neg(this=_days(value, exp.cast(exp.Literal.string("1970-01-01"), "date")))
    if kind in _NUMBERS:
        return exp.Neg(this=value)
    if kind == exp.DType.BOOLEAN:
        return exp.Not(this=value)
    if kind in _TEXTS:
        turned = exp.Translate(this=value, from_=exp.Literal.string(_WORDS), to=exp.Literal.string(_WORDS[::-1]))
        return exp.Concat(expressions=[turned, exp.Literal.string("~")])
    raise _UnknownOrder


def _days(later: exp.Expr, earlier: exp.Expr) -> exp.Expr:
    return exp.DateDiff(this=later, expression=earlier)


def _dated(node: exp.Expr) -> exp.Expr:
    """Dates: months by `add_months`, days between two by `datediff`, days further by `date_add`."""
    if not isinstance(node, exp.Add | exp.Sub):
        return node
    left, right, back = node.left, node.right, isinstance(node, exp.Sub)
    if isinstance(right, exp.Anonymous) and right.name.lower() == "to_months":
        return exp.AddMonths(this=left, expression=_signed(right.expressions[0], back))
    if _is_date(left) and _is_date(right) and back:
        return _days(left, right)
    if _is_date(left) and not _is_date(right):
        return exp.DateAdd(this=left, expression=_signed(right, back), unit=exp.var("DAY"))
    return node


def _is_date(node: exp.Expr) -> bool:
    return node.type is not None and node.type.this == exp.DType.DATE


def _signed(value: exp.Expr, negative: bool) -> exp.Expr:
    return exp.Neg(this=exp.paren(value.copy())) if negative else value.copy()


def _numbered(node: exp.Expr) -> exp.Expr:
    """Spark numbers rows in an order only; ours numbers in any order, so any will do."""
    if isinstance(node, exp.Window) and isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
        node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.Literal.number(1))]))
    return node
