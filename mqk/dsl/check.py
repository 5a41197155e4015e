"""Names and types: a parsed expression becomes an annotated one, or a list of everything wrong with it.

What lives here: the walk that applies the type algebra (types.py) and resolves names. What does not: evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.clashes import a, clash, clash_help
from mqk.dsl.environment import CollectionRef, ConstantRef, ElementRef, Environment, FactRef
from mqk.dsl.errors import DslError
from mqk.dsl.literals import literal
from mqk.dsl.syntax import free_variables
from mqk.dsl.windows import noun_of, window_length, window_slot

FUNCTIONS = {"abs": (1, 1), "min": (2, 16), "max": (2, 16), "multiple_of": (2, 2)}


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression whose every node carries its type, or the errors that kept it from that (never both)."""

    expr: syntax.Expr
    errors: tuple[DslError, ...]


def check_expression(expr: syntax.Expr, environment: Environment, expected: t.Type | None = t.BOOL) -> Checked:
    """Annotate `expr` with types and references, collecting all errors.

    `expected` is what the whole expression must be (None for anything).
    """
    checker = _Checker(environment)
    annotated = checker.expect(expr, expected) if expected is not None else checker.check(expr)
    return Checked(annotated, tuple(checker.errors))


class _Checker:
    """Walks an expression once. A node whose type stays None has been reported; its users stay silent about it."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # The elements that are being spoken of: what each is called, and of which collection it is.
        self._elements: dict[str, CollectionRef] = {}
        self.errors: list[DslError] = []

    def _report(self, code: str, message: str, node: syntax.Expr, help: str | None = None) -> None:
        self.errors.append(DslError(code, message, node.start, node.end, help))

    def expect(self, expr: syntax.Expr, expected: t.Type) -> syntax.Expr:
        """Check `expr` where a value of type `expected` is due."""
        node = self.check(expr, expected)
        if node.type is not None and node.type != expected and t.unify(node.type, expected) != expected:
            help = None
            if expected == t.BOOL:
                help = "a rule is a condition: compare the value with a limit"
            self._report("type", f"found {a(node.type)} where {a(expected)} is expected", expr, help)
        return node

    def check(self, expr: syntax.Expr, hint: t.Type | None = None) -> syntax.Expr:
        """Check `expr`; `hint` is the type its place suggests, which decides what a bare symbol is."""
        match expr:
            case syntax.Literal():
                return self._literal(expr)
            case syntax.Name():
                return self._name(expr)
            case syntax.Symbol():
                return self._symbol(expr, hint)
            case syntax.SetOf():
                return self._set(expr, hint)
            case syntax.Negate(operand=operand):
                node = self._scalar(self.check(operand, hint), "`-`")
                return replace(expr, operand=node, type=node.type)
            case syntax.Not(operand=operand):
                return replace(expr, operand=self.expect(operand, t.BOOL), type=t.BOOL)
            case syntax.Arithmetic():
                return self._arithmetic(expr)
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member():
                return self._member(expr)
            case syntax.Connective(operands=operands):
                return replace(expr, operands=tuple(self.expect(o, t.BOOL) for o in operands), type=t.BOOL)
            case syntax.If():
                return self._if(expr, hint)
            case syntax.Call():
                return self._call(expr, hint)
            case syntax.Present():
                return self._present(expr)
            case syntax.Window():
                return self._window(expr)
            case syntax.Quantified():
                return self._quantified(expr)
            case _:
                raise AssertionError(f"unknown node {type(expr).__name__}")

    def _literal(self, expr: syntax.Literal) -> syntax.Expr:
        try:
            value, kind = literal(expr)
        except DslError as error:
            self.errors.append(error)
            return expr
        return replace(expr, value=value, type=kind)

    def _name(self, expr: syntax.Name) -> syntax.Name:
        variable, _, field = expr.path.partition(".")
        if variable in self._elements:
            return self._field(expr, variable, field)
        ref = self._environment.lookup(expr.path)
        if ref is not None:
            return replace(expr, ref=ref, type=ref.type)
        absence = self._environment.absence(expr.path)
        if absence is not None:
            if absence:
                self._report("name", f"`{expr.path}` {absence}", expr)
            return expr
        close = get_close_matches(expr.path, sorted(self._environment.names()), n=1, cutoff=0.6)
        help = f"did you mean `{close[0]}`?" if close else None
        if self._environment.collection(expr.path) is not None:
            help = f"`{expr.path}` is a collection: say `some p in {expr.path} satisfies ...`"
        elif help is None and "." not in expr.path:
            help = f"a symbol is written in capitals: `{expr.path.upper()}`"
        self._report("name", f"unknown name `{expr.path}`", expr, help)
        return expr

    def _field(self, expr: syntax.Name, variable: str, field: str) -> syntax.Name:
        collection = self._elements[variable]
        found = collection.fields.get(field)
        if found is not None:
            ref = ElementRef(variable, field, found.type, found.optional)
            return replace(expr, ref=ref, type=found.type)
        fields = sorted(collection.fields)
        close = get_close_matches(field, fields, n=1, cutoff=0.6)
        known = ", ".join(f"`{variable}.{each}`" for each in fields)
        help = f"did you mean `{variable}.{close[0]}`?" if close else f"there are {known}"
        self._report("name", f"an element of `{collection.name}` has no `{field or expr.path}`", expr, help)
        return expr

    def _symbol(self, expr: syntax.Symbol, hint: t.Type | None) -> syntax.Expr:
        if hint is not None and hint.kind is t.Kind.SYMBOL:
            return replace(expr, type=hint)
        if hint is not None and hint.kind is t.Kind.ENUM:
            if expr.text not in hint.members:
                close = get_close_matches(expr.text, hint.members, n=1, cutoff=0.5)
                help = f"did you mean `{close[0]}`?" if close else f"write {hint}"
                self._report("value", f"`{expr.text}` is not {hint}", expr, help)
            return replace(expr, type=hint)
        what = f"where {a(hint)} is expected" if hint is not None else "that nothing here gives a meaning"
        self._report("type", f"found the word `{expr.text}` {what}", expr)
        return expr

    def _set(self, expr: syntax.SetOf, hint: t.Type | None) -> syntax.Expr:
        element = hint.element if hint is not None and hint.kind is t.Kind.SET else None
        if element is None or element.kind not in (t.Kind.SYMBOL, t.Kind.ENUM):
            self._report(
                "type", "a set stands behind `in`, and holds symbols", expr, "write `order.symbol in [SPY, QQQ]`"
            )
            return expr
        items = tuple(self.expect(item, element) for item in expr.items)
        return replace(expr, items=items, type=t.set_of(element))

    def _scalar(self, node: syntax.Expr, where: str) -> syntax.Expr:
        if node.type is not None and node.type.kind not in t.SCALAR_KINDS:
            self._report("type", f"{where} does not apply to {a(node.type)}", node)
            return replace(node, type=None)
        return node

    def _arithmetic(self, expr: syntax.Arithmetic) -> syntax.Expr:
        left, right = self.check(expr.left), self.check(expr.right)
        node = replace(expr, left=left, right=right)
        if left.type is None or right.type is None:
            return node
        match expr.op:
            case "+" | "-":
                result = t.sum_type(left.type, right.type, expr.op)
            case "*":
                result = t.product_type(left.type, right.type)
            case "/":
                result = t.quotient_type(left.type, right.type)
            case _:
                result = t.share_type(left.type, right.type)
        if result is None:
            self._report("unit", clash(expr.op, left.type, right.type), expr, clash_help(expr.op, left, right))
        return replace(node, type=result)

    def _compare(self, expr: syntax.Compare) -> syntax.Expr:
        operands = self._together(expr.operands)
        for op, left, right in zip(expr.ops, operands, operands[1:], strict=False):
            self._comparable(op, left, right)
        return replace(expr, operands=tuple(operands), type=t.BOOL)

    def _together(self, operands: Sequence[syntax.Expr]) -> list[syntax.Expr]:
        """Check operands that must share a type; bare symbols take theirs from the others."""
        checked = {i: self.check(o) for i, o in enumerate(operands) if not isinstance(o, syntax.Symbol)}
        hint = next((node.type for node in checked.values() if node.type is not None), None)
        if hint is None and len(checked) < len(operands) and checked:
            # The others were reported already; a symbol beside them cannot be understood, and need not be.
            return [checked.get(i, o) for i, o in enumerate(operands)]
        return [checked[i] if i in checked else self.check(o, hint) for i, o in enumerate(operands)]

    def _comparable(self, op: str, left: syntax.Expr, right: syntax.Expr) -> None:
        if left.type is None or right.type is None:
            return
        for word, other in ((left, right.type), (right, left.type)):
            if other.kind is t.Kind.ENUM and op in ("==", "!=") and self._is_word(word) and word.type == t.SYMBOL:
                self._words_of(other, word)
                return
        if left.type.kind is right.type.kind is t.Kind.ENUM and op in ("==", "!="):
            shorter, longer = sorted((set(left.type.members), set(right.type.members)), key=len)
            if shorter <= longer:
                return
        common = t.unify(left.type, right.type)
        if common is None:
            span = replace(left, end=right.end)
            help = clash_help(op, left, right)
            self._report("unit", f"{a(left.type)} cannot be compared with {a(right.type)}", span, help)
            return
        kinds = t.EQUATABLE_KINDS if op in ("==", "!=") else t.ORDERED_KINDS
        if common.kind not in kinds:
            help = "use `==` or `!=`" if common.kind in t.EQUATABLE_KINDS else None
            self._report("type", f"`{op}` does not apply to {a(common)}", replace(left, end=right.end), help)

    def _member(self, expr: syntax.Member) -> syntax.Expr:
        item = self.check(expr.item)
        hint = t.set_of(item.type) if item.type is not None else None
        if hint is None and isinstance(expr.container, syntax.SetOf):
            return replace(expr, item=item, type=t.BOOL)
        container = self.check(expr.container, hint)
        node = replace(expr, item=item, container=container, type=t.BOOL)
        if container.type is None or item.type is None:
            return node
        if container.type.kind is not t.Kind.SET:
            self._report("type", f"`in` needs a set on its right, found {a(container.type)}", expr.container)
        elif item.type.kind is t.Kind.ENUM and self._is_word(container):
            self._words_of(item.type, container)
        elif container.type.element != item.type:
            self._report("type", f"{a(item.type)} is never in a {container.type}", expr)
        return node

    def _is_word(self, node: syntax.Expr) -> bool:
        """Whether a node is a constant word or set of words, which may be of any enumeration that has them."""
        return (
            isinstance(node, syntax.Name)
            and isinstance(node.ref, ConstantRef)
            and (node.type == t.SYMBOL or node.type == t.set_of(t.SYMBOL))
        )

    def _words_of(self, kind: t.Type, node: syntax.Expr) -> None:
        """Report the words of a constant that are no members of an enumeration."""
        assert isinstance(node, syntax.Name)
        assert isinstance(node.ref, ConstantRef)
        value = node.ref.value
        words = [value] if isinstance(value, str) else sorted(value) if isinstance(value, frozenset) else []
        for word in words:
            if word not in kind.members:
                close = get_close_matches(word, kind.members, n=1, cutoff=0.5)
                help = f"did you mean `{close[0]}`?" if close else None
                self._report("value", f"`{word}` in `{node.path}` is not {kind}", node, help)

    def _if(self, expr: syntax.If, hint: t.Type | None) -> syntax.Expr:
        condition = self.expect(expr.condition, t.BOOL)
        then, otherwise = self.check(expr.then, hint), self.check(expr.otherwise, hint)
        node = replace(expr, condition=condition, then=then, otherwise=otherwise)
        if then.type is None or otherwise.type is None:
            return node
        common = t.unify(then.type, otherwise.type)
        if common is None:
            self._report("type", f"`then` gives {a(then.type)} but `else` gives {a(otherwise.type)}", expr)
        return replace(node, type=common)

    def _call(self, expr: syntax.Call, hint: t.Type | None) -> syntax.Expr:
        if expr.function not in FUNCTIONS:
            close = get_close_matches(expr.function, [*FUNCTIONS, "present", "count", "total"], n=1, cutoff=0.5)
            known = ", ".join(f"`{each}`" for each in (*FUNCTIONS, "present", "count"))
            help = f"did you mean `{close[0]}`?" if close else f"there are {known} and `total`"
            self._report("name", f"unknown function `{expr.function}`", expr, help)
            return expr
        least, most = FUNCTIONS[expr.function]
        if not least <= len(expr.arguments) <= most:
            wanted = "one value" if most == 1 else f"{least} to {most} values"
            self._report("type", f"`{expr.function}` takes {wanted}, found {len(expr.arguments)}", expr)
            return expr
        arguments = tuple(self._scalar(self.check(a, hint), f"`{expr.function}`") for a in expr.arguments)
        common = arguments[0].type
        for argument in arguments[1:]:
            if common is None or argument.type is None:
                return replace(expr, arguments=arguments)
            unified = t.unify(common, argument.type)
            if unified is None:
                self._report("unit", f"`{expr.function}` mixes {a(common)} with {a(argument.type)}", expr)
            common = unified
        if expr.function == "multiple_of":
            common = t.BOOL
        return replace(expr, arguments=arguments, type=common)

    def _present(self, expr: syntax.Present) -> syntax.Expr:
        fact = self._name(expr.fact)
        if fact.ref is not None and not (isinstance(fact.ref, FactRef | ElementRef) and fact.ref.optional):
            help = "only facts that may be missing are asked for with `present`"
            self._report("type", f"`{fact.path}` is always there", expr, help)
        return replace(expr, fact=fact, type=t.BOOL)

    def _window(self, expr: syntax.Window) -> syntax.Expr:
        streams = self._environment.streams()
        kind: t.Type | None = t.count_of(noun_of(expr.stream))
        if expr.stream not in streams:
            close = get_close_matches(expr.stream, sorted(streams), n=1, cutoff=0.5)
            known = ", ".join(f"`{stream}`" for stream in sorted(streams))
            help = f"did you mean `{close[0]}`?" if close else f"there are {known}" if known else None
            self._report("name", f"unknown stream `{expr.stream}`", expr, help)
        elif expr.function == "total":
            kind = streams[expr.stream]
            if kind is None:
                known = ", ".join(f"`{stream}`" for stream, amount in sorted(streams.items()) if amount is not None)
                help = f"write `count({expr.stream} within ...)`" + (f", or take one of {known}" if known else "")
                self._report("type", f"the events of `{expr.stream}` carry no amount to add up", expr, help)
        duration = self.check(expr.duration)
        length = window_length(duration)
        if duration.type is not None and length is None:
            self._report("type", "a window's length is fixed: write a duration or a limit", duration)
        if length is not None and length[0] == 0:
            self._report(
                "value", "a window of no length counts nothing", duration, "write how far back it reaches: `300s`"
            )
        slot = window_slot(expr.function, expr.stream, length) if length is not None else None
        return replace(expr, duration=duration, slot=slot, type=kind)

    def _quantified(self, expr: syntax.Quantified) -> syntax.Expr:
        ref = self._environment.collection(expr.collection)
        truth = expr.kind in ("some", "every")
        result = t.BOOL if truth else t.COUNT
        if ref is None:
            known = sorted(self._environment.collections())
            close = get_close_matches(expr.collection, known, n=1, cutoff=0.5)
            listed = ", ".join(f"`{name}`" for name in known)
            help = f"did you mean `{close[0]}`?" if close else f"there are {listed}" if listed else None
            absence = None if close else self._environment.absence(expr.collection)
            message = f"`{expr.collection}` {absence}" if absence else f"unknown collection `{expr.collection}`"
            self._report("name", message, expr, None if absence else help)
            return replace(expr, type=None if expr.kind == "sum" else result)
        self._new_name(expr)
        outer = self._elements
        self._elements = {**outer, expr.variable: ref}
        where = None if expr.where is None else self.expect(expr.where, t.BOOL)
        body = expr.body
        if body is not None:
            body = self.expect(body, t.BOOL) if truth else self._scalar(self.check(body), "`sum of`")
        self._elements = outer
        self._refuse_stray(expr)
        kind: t.Type | None = t.count_of(ref.noun) if expr.kind == "count" else result
        if expr.kind == "sum":
            kind = body.type if body is not None else None
        return replace(expr, where=where, body=body, ref=ref, type=kind)

    def _new_name(self, expr: syntax.Quantified) -> None:
        """An element's name must be new: one that means something else already would be read in two ways."""
        name, taken = expr.variable, expr.variable in self._elements
        subjects = {known.partition(".")[0] for known in self._environment.names()}
        if taken or name in subjects or name in self._environment.collections():
            self._report("name", f"`{name}` has a meaning already", expr, "call the element by another letter or word")

    def _refuse_stray(self, expr: syntax.Quantified) -> None:
        """A part of the condition that does not speak of the element: most often a bracket is missing before it.

        It matters, because nothing is judged for a collection without elements.
        """
        for condition in (expr.where, expr.body):
            if isinstance(condition, syntax.Connective):
                for part in condition.operands:
                    if expr.variable not in free_variables(part):
                        help = f"close the bracket before `{condition.op}`, or bring it in front"
                        self._report("type", f"this does not speak of `{expr.variable}`", part, help)
