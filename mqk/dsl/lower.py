"""A small part of Python to native code: functions over whole numbers of 64 bits and memory that holds them.

What lives here: statements and expressions, one for one. What may be written: whole numbers, memory that is indexed
(also as a member of a group, a NamedTuple of memories), `if`, `while`, `for ... in range(...)`, `break`, `return`,
assignments, arithmetic with `//` and `%` as in Python, calls of other such functions, of `abs`, `min` and `max` of two,
and of what the caller provides. Two things differ, and who writes such a function keeps them in mind: both sides of
`and`, `or` and of a choice are computed, and numbers wrap around at 64 bits. What does not: any such function.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_COMPARE: Final = {ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=", ast.GtE: ">=", ast.Gt: ">"}
_PLAIN: Final = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.LShift: "shl",
    ast.RShift: "ashr",
}
# The annotation of a parameter that is memory.
MEMORY: Final = "Ints"

Provided = Callable[["Lowered", ast.Call], Any]


def lower(module: Any, functions: Sequence[Callable[..., Any]], provided: Mapping[str, Provided]) -> None:
    """Add functions to a module, each under its own name; they may call each other and what is `provided`."""
    made = [Lowered(module, function, provided) for function in functions]
    for each in made:
        each.write()


def told_by_table(module: Any, name: str, of: str) -> None:
    """Add a function that is another one, but takes the addresses of all its memory from one table of numbers.

    Whoever calls it often from Python says them once: the table comes first, and then the numbers.
    """
    from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

    known, number = module.globals[of], ir.IntType(64)
    kinds = known.function_type.args
    given = [kind for kind in kinds if kind == number]
    function = ir.Function(module, ir.FunctionType(number, [number.as_pointer(), *given]), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    table, *numbers = function.args
    left = iter(numbers)
    arguments: list[Any] = []
    for kind in kinds:
        place = ir.Constant(number, len(arguments))
        told = next(left) if kind == number else builder.inttoptr(builder.load(builder.gep(table, [place])), kind)
        arguments.append(told)
    builder.ret(builder.call(known, arguments))


class Lowered:
    """One function on its way to native code."""

    def __init__(self, module: Any, function: Callable[..., Any], provided: Mapping[str, Provided]) -> None:
        from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(tree, ast.FunctionDef)
        self._ir, self._module, self._tree, self._provided = ir, module, tree, provided
        self._globals: Mapping[str, object] = inspect.unwrap(function).__globals__
        self._number = ir.IntType(64)
        # A group of memories is handed on as its members, one after the other.
        self._groups = {each.arg: self._members(each) for each in tree.args.args}
        kinds = [
            kind
            for each in tree.args.args
            for kind in (
                [self._number.as_pointer()] * len(self._groups[each.arg])
                or [self._number.as_pointer() if _is_memory(each) else self._number]
            )
        ]
        self._function = ir.Function(module, ir.FunctionType(self._number, kinds), tree.name)
        for argument, kind in zip(self._function.args, kinds, strict=True):
            if kind is not self._number:
                argument.add_attribute("noalias")
        self._names: dict[str, Any] = {}
        self._memory: dict[str, Any] = {}
        self._ends: list[Any] = []
        self.builder: Any = None

    def write(self) -> None:
        """Write the function's body."""
        self.builder = self._ir.IRBuilder(self._function.append_basic_block("entry"))
        arguments = iter(self._function.args)
        for parameter in self._tree.args.args:
            for member in self._groups[parameter.arg]:
                self._memory[member] = next(arguments)
            if _is_memory(parameter):
                self._memory[parameter.arg] = next(arguments)
            elif not self._groups[parameter.arg]:
                self._set(parameter.arg, next(arguments))
        self._body(self._tree.body)
        if not self.builder.block.is_terminated:
            self.builder.ret(self.constant(0))

    def _members(self, parameter: ast.arg) -> list[str]:
        """The memories of a parameter that is a group of them, as they are written; none where it is something else."""
        kind = self._globals.get(parameter.annotation.id) if isinstance(parameter.annotation, ast.Name) else None
        return [f"{parameter.arg}.{member}" for member in getattr(kind, "_fields", ())]

    def constant(self, value: int) -> Any:
        """A constant."""
        return self._ir.Constant(self._number, value)

    def store(self, memory: str, index: int, value: Any) -> None:
        """Write into a place of a parameter that is memory."""
        self.builder.store(value, self.builder.gep(self._memory[memory], [self.constant(index)]))

    def call(self, name: str, arguments: Sequence[Any]) -> Any:
        """A call of a function of the module."""
        return self.builder.call(self._module.globals[name], arguments)

    def room(self, places: int) -> Any:
        """Memory of the function's own, for as long as it runs."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(self._number, self.constant(places))

    def memory(self, name: str) -> Any:
        """The address of a parameter that is memory."""
        return self._memory[name]

    # -- statements ------------------------------------------------------------------------------------------------

    def _body(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if self.builder.block.is_terminated:
                return
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._assign(target, self.number(value))
            case ast.AugAssign(target=target, op=op, value=value):
                read = ast.parse(ast.unparse(target), mode="eval").body
                self._assign(target, self._arithmetic(op, self.number(read), self.number(value)))
            case ast.If(test=test, body=body, orelse=otherwise):
                self._if(test, body, otherwise)
            case ast.While(test=test, body=body):
                self._while(lambda: self.truth(test), body)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=[*first, last]), body=body):
                self._set(name, self.number(first[0]) if first else self.constant(0))
                stop = self.number(last)
                one = self.constant(1)
                self._while(
                    lambda: self.builder.icmp_signed("<", self._get(name), stop),
                    body,
                    lambda: self._set(name, self.builder.add(self._get(name), one)),
                )
            case ast.Break():
                self.builder.branch(self._ends[-1])
            case ast.Return(value=value):
                self.builder.ret(self.constant(0) if value is None else self.number(value))
            case ast.Expr(value=ast.Call() as call):
                self._call(call)
            case ast.Expr(value=ast.Constant(value=str())):
                pass  # the docstring
            case _:
                raise self._refused(node)

    def _if(self, test: ast.expr, body: Sequence[ast.stmt], otherwise: Sequence[ast.stmt]) -> None:
        then, after = self.builder.append_basic_block("then"), self.builder.append_basic_block("after")
        other = self.builder.append_basic_block("else") if otherwise else after
        self.builder.cbranch(self.truth(test), then, other)
        for block, statements in ((then, body), (other, otherwise)):
            if statements:
                self.builder.position_at_end(block)
                self._body(statements)
                if not self.builder.block.is_terminated:
                    self.builder.branch(after)
        self.builder.position_at_end(after)

    def _while(self, test: Callable[[], Any], body: Sequence[ast.stmt], step: Callable[[], None] | None = None) -> None:
        head, inside, after = (self.builder.append_basic_block(name) for name in ("while", "do", "done"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(test(), inside, after)
        self.builder.position_at_end(inside)
        self._ends.append(after)
        self._body(body)
        self._ends.pop()
        if not self.builder.block.is_terminated:
            if step is not None:
                step()
            self.builder.branch(head)
        self.builder.position_at_end(after)

    def _assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(id=name):
                self._set(name, value)
            case ast.Subscript(value=memory, slice=index):
                place = self.builder.gep(self._memory[ast.unparse(memory)], [self.number(index)])
                self.builder.store(value, place)
            case _:
                raise self._refused(target)

    def _set(self, name: str, value: Any) -> None:
        if name not in self._names:
            with self.builder.goto_block(self._function.entry_basic_block):
                self._names[name] = self.builder.alloca(self._number)
        self.builder.store(value, self._names[name])

    def _get(self, name: str) -> Any:
        return self.builder.load(self._names[name])

    # -- expressions -----------------------------------------------------------------------------------------------

    def truth(self, node: ast.expr) -> Any:
        """An expression as a bit."""
        value = self._value(node)
        return value if value.type.width == 1 else self.builder.icmp_signed("!=", value, self.constant(0))

    def number(self, node: ast.expr) -> Any:
        """An expression as a number of 64 bits."""
        value = self._value(node)
        return self.builder.zext(value, self._number) if value.type.width == 1 else value

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int(value)):
                return self.constant(int(value))
            case ast.Name(id=name) if name in self._names:
                return self._get(name)
            case ast.Name(id=name) if isinstance(self._globals.get(name), int):
                return self.constant(int(self._globals[name]))  # type: ignore[call-overload] # it has just been looked at
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                return self.constant(int(getattr(self._globals[module], name)))
            case ast.Subscript(value=memory, slice=index):
                return self.builder.load(self.builder.gep(self._memory[ast.unparse(memory)], [self.number(index)]))
            case ast.BinOp(left=left, op=op, right=right):
                return self._arithmetic(op, self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.builder.sub(self.constant(0), self.number(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.builder.not_(self.truth(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.builder.icmp_signed(_COMPARE[type(op)], self.number(left), self.number(right))
            case ast.BoolOp(op=op, values=values):
                join = self.builder.or_ if isinstance(op, ast.Or) else self.builder.and_
                joined = self.truth(values[0])
                for each in values[1:]:
                    joined = join(joined, self.truth(each))
                return joined
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                return self.builder.select(self.truth(test), self.number(body), self.number(otherwise))
            case ast.Call():
                return self._call(node)
            case _:
                raise self._refused(node)

    def _arithmetic(self, op: ast.operator, a: Any, b: Any) -> Any:
        if type(op) in _PLAIN:
            return getattr(self.builder, _PLAIN[type(op)])(a, b)
        if not isinstance(op, ast.FloorDiv | ast.Mod):
            raise self._refused(op)
        rest = self.builder.srem(a, b)
        # Towards minus infinity, as in Python: off by one where the remainder has the other sign.
        zero = self.constant(0)
        apart = self.builder.icmp_signed("<", self.builder.xor(rest, b), zero)
        below = self.builder.and_(self.builder.icmp_signed("!=", rest, zero), apart)
        if isinstance(op, ast.Mod):
            return self.builder.select(below, self.builder.add(rest, b), rest)
        quotient = self.builder.sdiv(a, b)
        return self.builder.select(below, self.builder.sub(quotient, self.constant(1)), quotient)

    def _call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in self._provided:
            return self._provided[name](self, node)
        if name == "abs":
            value = self.number(node.args[0])
            negated = self.builder.sub(self.constant(0), value)
            return self.builder.select(self.builder.icmp_signed("<", value, self.constant(0)), negated, value)
        if name in ("min", "max"):
            a, b = (self.number(each) for each in node.args)
            return self.builder.select(self.builder.icmp_signed("<" if name == "min" else ">", a, b), a, b)
        arguments = []
        for each in node.args:
            members = self._groups.get(each.id, []) if isinstance(each, ast.Name) else []
            if members:
                arguments += [self._memory[member] for member in members]
            elif isinstance(each, ast.Name) and each.id in self._memory:
                arguments.append(self._memory[each.id])
            else:
                arguments.append(self.number(each))
        return self.call(name, arguments)

    def _refused(self, node: ast.AST) -> AssertionError:
        return AssertionError(f"`{ast.unparse(node)}` in `{self._tree.name}` has no native code")


def _is_memory(parameter: ast.arg) -> bool:
    return isinstance(parameter.annotation, ast.Name) and parameter.annotation.id == MEMORY
