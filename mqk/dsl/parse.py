"""Text to syntax tree, and clear words when the text is not an expression.

What lives here: the lark parser and the making of nodes. What does not: names and types (check.py).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken
from lark.tree import Meta

from mqk.dsl import syntax
from mqk.dsl.errors import DslError

# Long and deep expressions are refused before they are parsed: nobody can review them, and recursion stays bounded.
MAX_LENGTH = 2_000
MAX_DEPTH = 60

_COMPARATORS = {"=": "==", "<>": "!=", "=<": "<=", "=>": ">=", ":=": "==", "≤": "<=", "≥": ">=", "≠": "!="}
_WORDS = {"&&": "and", "||": "or", "!": "not", "&": "and", "|": "or"}


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = files("mqk").joinpath("dsl", "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


# A condition is parsed when its document is loaded, when it is hashed, compiled and proven, for every engine again.
@lru_cache(maxsize=16_384)
def parse_expression(text: str) -> syntax.Expr:
    """The syntax tree of `text`; equal texts have one tree, which nobody changes.

    Raises DslError (`syntax`, or `limit` for one too long or too deep) with the offsets of the offending text and,
    where the slip is a common one, its mend.
    """
    if not text.strip():
        raise DslError(
            "syntax", "an expression is empty", 0, max(len(text), 1), "write a condition, such as `order.qty >= 1`"
        )
    if len(text) > MAX_LENGTH:
        raise DslError(
            "limit",
            f"an expression of {len(text)} characters is too long to review",
            MAX_LENGTH,
            len(text),
            f"keep it under {MAX_LENGTH} characters: split it into several rules",
        )
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    expr = _build(tree)
    _refuse_depth(expr)
    return expr


def _build(tree: Tree[Token]) -> syntax.Expr:
    # Bottom-up and without recursion, so that no nesting of the text can exhaust the stack.
    builder = _Builder()
    nodes: dict[int, syntax.Expr] = {}
    for subtree in tree.iter_subtrees():
        children = [nodes[id(child)] if isinstance(child, Tree) else child for child in subtree.children]
        nodes[id(subtree)] = getattr(builder, subtree.data)(subtree.meta, children)
    return nodes[id(tree)]


def _refuse_depth(tree: syntax.Expr) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.children()]
        if not level:
            return
    raise DslError(
        "limit",
        f"an expression nested more than {MAX_DEPTH} deep is too complex to review",
        level[0].start,
        level[0].end,
        "split it into several rules",
    )


def _syntax_error(text: str, error: UnexpectedInput) -> DslError:
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return DslError(
            "syntax",
            "the expression ends too early",
            max(len(text.rstrip()) - 1, 0),
            len(text.rstrip()),
            _unclosed(text) or "something is missing at the end: a value, or a closing bracket",
        )
    if isinstance(error, UnexpectedCharacters):
        start = cast("int", error.pos_in_stream)
        found = re.match(r"[^\sA-Za-z0-9_()\[\].,]+|\S", text[start:])
        word = found.group(0) if found else text[start : start + 1]
        return DslError("syntax", f"found `{word}`, which has no meaning here", start, start + len(word), _mend(word))
    if isinstance(error, UnexpectedToken):
        token = error.token
        start = token.start_pos or 0
        end = token.end_pos or start + len(token)
        return DslError("syntax", f"found `{token}`{_expectation(error)}", start, end, _token_help(text, token, start))
    return DslError("syntax", "this is not an expression", 0, len(text))


def _expectation(error: UnexpectedToken) -> str:
    accepts = error.accepts or set()
    if "NAME" in accepts:
        return " where a value is expected"
    if "COMPARATOR" in accepts:
        return " where a comparison, `and`, `or` or the end is expected"
    if "THEN" in accepts or "ELSE" in accepts:
        return " inside an `if ... then ... else ...`"
    return " where the expression should go on or end"


def _mend(word: str) -> str | None:
    if word in _COMPARATORS:
        return f"write `{_COMPARATORS[word]}`"
    if word in _WORDS:
        return f"write `{_WORDS[word]}`"
    if word == "%":
        return "a percentage is written right behind its number, as in `20%`"
    return None


KEYWORDS = frozenset(
    {"and", "or", "not", "in", "of", "if", "then", "else", "true", "false"}
    | {"some", "every", "sum", "count", "total", "for", "where", "satisfies", "within"}
)
"""Words that have a meaning of their own, and so are no names."""


def _token_help(text: str, token: Token, start: int) -> str | None:
    before = re.search(r"(\S+)\s*$", text[:start])
    for word in (str(token), before.group(1) if before else ""):
        if word.lower() in KEYWORDS and word != word.lower():
            return f"write `{word.lower()}`"
    if token.type == "COMPARATOR" and before and before.group(1)[-1] in "=<>!":
        return "comparisons are `<` `<=` `==` `!=` `>=` `>`"
    if before and re.fullmatch(r"[A-Z]{3}", before.group(1)) and token.type == "NUMBER":
        return f"a currency is written behind its amount: `{token} {before.group(1)}`"
    if str(token) == "per":
        return "a rate stands in `limits:`; here compare `count(rejects within 300s)` with a number"
    return None


def _unclosed(text: str) -> str | None:
    if text.count("(") > text.count(")"):
        return "close the bracket with `)`"
    if text.count("[") > text.count("]"):
        return "close the set with `]`"
    return None


class _Builder:
    """One method per rule of the grammar: lark's children and positions in, our node out."""

    def _literal(self, kind: str, meta: Meta, children: list[Token]) -> syntax.Expr:
        return syntax.Literal(start=meta.start_pos, end=meta.end_pos, kind=kind, text=str(children[0]))

    def instant(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("instant", meta, children)

    def date(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("date", meta, children)

    def time(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("time", meta, children)

    def ratio(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("ratio", meta, children)

    def money(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("money", meta, children)

    def span(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("span", meta, children)

    def count(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("count", meta, children)

    def duration(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("duration", meta, children)

    def number(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("number", meta, children)

    def text(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return self._literal("text", meta, children)

    def true(self, meta: Meta, _: list[Token]) -> syntax.Expr:
        return syntax.Literal(start=meta.start_pos, end=meta.end_pos, kind="bool", text="true")

    def false(self, meta: Meta, _: list[Token]) -> syntax.Expr:
        return syntax.Literal(start=meta.start_pos, end=meta.end_pos, kind="bool", text="false")

    def name(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return syntax.Name(start=meta.start_pos, end=meta.end_pos, path=str(children[0]))

    def symbol(self, meta: Meta, children: list[Token]) -> syntax.Expr:
        return syntax.Symbol(start=meta.start_pos, end=meta.end_pos, text=str(children[0]))

    def set(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.SetOf(start=meta.start_pos, end=meta.end_pos, items=tuple(children))

    def negate(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Negate(start=meta.start_pos, end=meta.end_pos, operand=children[0])

    def not_(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Not(start=meta.start_pos, end=meta.end_pos, operand=children[0])

    def _arithmetic(self, op: str, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Arithmetic(start=meta.start_pos, end=meta.end_pos, op=op, left=children[0], right=children[1])

    def add(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return self._arithmetic("+", meta, children)

    def subtract(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return self._arithmetic("-", meta, children)

    def multiply(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return self._arithmetic("*", meta, children)

    def divide(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return self._arithmetic("/", meta, children)

    def of(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return self._arithmetic("of", meta, children)

    def compare(self, meta: Meta, children: list[syntax.Expr | Token]) -> syntax.Expr:
        operands = tuple(child for child in children if isinstance(child, syntax.Expr))
        ops = tuple(str(child) for child in children if isinstance(child, Token))
        return syntax.Compare(start=meta.start_pos, end=meta.end_pos, operands=operands, ops=ops)

    def member(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Member(
            start=meta.start_pos, end=meta.end_pos, item=children[0], container=children[1], negated=False
        )

    def not_member(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Member(
            start=meta.start_pos, end=meta.end_pos, item=children[0], container=children[1], negated=True
        )

    def and_(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Connective(start=meta.start_pos, end=meta.end_pos, op="and", operands=tuple(children))

    def or_(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        return syntax.Connective(start=meta.start_pos, end=meta.end_pos, op="or", operands=tuple(children))

    def if_(self, meta: Meta, children: list[syntax.Expr]) -> syntax.Expr:
        condition, then, otherwise = children
        return syntax.If(start=meta.start_pos, end=meta.end_pos, condition=condition, then=then, otherwise=otherwise)

    def window(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        stream, duration = children
        return syntax.Window(
            start=meta.start_pos, end=meta.end_pos, stream=str(stream), duration=cast("syntax.Expr", duration)
        )

    def total(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        return replace(cast("syntax.Window", self.window(meta, children)), function="total")

    def _quantified(
        self,
        kind: str,
        meta: Meta,
        names: list[Token | syntax.Expr],
        where: syntax.Expr | None,
        body: syntax.Expr | None,
    ) -> syntax.Expr:
        variable, collection = (cast("Token", name) for name in names)
        if "." in variable:
            start = variable.start_pos or 0
            message = f"`{variable}` cannot name an element: a name that an expression gives has no dot"
            raise DslError("syntax", message, start, start + len(variable), "write one letter or word, such as `p`")
        return syntax.Quantified(
            start=meta.start_pos,
            end=meta.end_pos,
            kind=kind,
            variable=str(variable),
            collection=str(collection),
            where=where,
            body=body,
        )

    def _satisfies(self, kind: str, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        *where, body = (cast("syntax.Expr", child) for child in children[2:])
        return self._quantified(kind, meta, children[:2], where[0] if where else None, body)

    def some(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        return self._satisfies("some", meta, children)

    def every(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        return self._satisfies("every", meta, children)

    def sum(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        body, *where = (cast("syntax.Expr", child) for child in (children[0], *children[3:]))
        return self._quantified("sum", meta, children[1:3], where[0] if where else None, body)

    def tally(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        where = [cast("syntax.Expr", child) for child in children[2:]]
        return self._quantified("count", meta, children[:2], where[0] if where else None, None)

    def call(self, meta: Meta, children: list[Token | syntax.Expr]) -> syntax.Expr:
        function = cast("Token", children[0])
        arguments = tuple(cast("syntax.Expr", child) for child in children[1:])
        start, end = meta.start_pos, meta.end_pos
        name = str(function)
        if name == "present":
            if len(arguments) == 1 and isinstance(arguments[0], syntax.Name):
                return syntax.Present(start=start, end=end, fact=arguments[0])
            raise DslError(
                "syntax", "`present` takes the name of one fact", start, end, "write `present(order.limit_price)`"
            )
        return syntax.Call(start=start, end=end, function=name, arguments=arguments)
