"""A syntax tree back to text, in one canonical form: the form that is hashed, shown and compared.

Parsing the result gives the same tree; formatting is idempotent.
"""

from __future__ import annotations

from mqk.dsl import syntax

# How tightly each construct binds; an operand that binds less tightly than its place asks for is bracketed.
_IF, _OR, _AND, _NOT, _COMPARE, _SUM, _TERM, _SHARE, _FACTOR, _ATOM = range(10)
_LEVELS = {"+": _SUM, "-": _SUM, "*": _TERM, "/": _TERM, "of": _SHARE}


def format_expression(expr: syntax.Expr) -> str:
    """The canonical text of an expression."""
    return _text(expr)[0]


def _at(expr: syntax.Expr, level: int) -> str:
    text, own = _text(expr)
    return text if own >= level else f"({text})"


def _text(expr: syntax.Expr) -> tuple[str, int]:
    match expr:
        case syntax.Literal(text=text):
            return " ".join(text.split()), _ATOM
        case syntax.Name(path=path):
            return path, _ATOM
        case syntax.Symbol(text=text):
            return text, _ATOM
        case syntax.SetOf(items=items):
            return "[" + ", ".join(_at(item, _IF) for item in items) + "]", _ATOM
        case syntax.Negate(operand=operand):
            return "-" + _at(operand, _FACTOR), _FACTOR
        case syntax.Not(operand=operand):
            return "not " + _at(operand, _NOT), _NOT
        case syntax.Arithmetic(op=op, left=left, right=right):
            level = _LEVELS[op]
            # `of` groups to the right, everything else to the left.
            left_level, right_level = (level + 1, level) if op == "of" else (level, level + 1)
            return f"{_at(left, left_level)} {op} {_at(right, right_level)}", level
        case syntax.Compare(operands=operands, ops=ops):
            parts = [_at(operands[0], _SUM)]
            for op, operand in zip(ops, operands[1:], strict=True):
                parts += [op, _at(operand, _SUM)]
            return " ".join(parts), _COMPARE
        case syntax.Member(item=item, container=container, negated=negated):
            word = "not in" if negated else "in"
            return f"{_at(item, _SUM)} {word} {_at(container, _SUM)}", _COMPARE
        case syntax.Connective(op=op, operands=operands):
            level = _AND if op == "and" else _OR
            return f" {op} ".join(_at(operand, level + 1) for operand in operands), level
        case syntax.If():
            branches: list[str] = []
            below: syntax.Expr = expr
            while isinstance(below, syntax.If):
                branches.append(f"if {_at(below.condition, _OR)} then {_at(below.then, _OR)} else ")
                below = below.otherwise
            return "".join(branches) + _at(below, _IF), _IF
        case syntax.Call(function=function, arguments=arguments):
            return f"{function}(" + ", ".join(_at(argument, _IF) for argument in arguments) + ")", _ATOM
        case syntax.Present(fact=fact):
            return f"present({fact.path})", _ATOM
        case syntax.Window(function=function, stream=stream, duration=duration):
            return f"{function}({stream} within {_at(duration, _SUM)})", _ATOM
        case syntax.Quantified():
            return _quantified(expr)
        case _:
            raise AssertionError(f"unknown node {type(expr).__name__}")


def _quantified(expr: syntax.Quantified) -> tuple[str, int]:
    elements = f"{expr.variable} in {expr.collection}"
    where = "" if expr.where is None else f" where {_at(expr.where, _OR)}"
    if expr.kind in ("some", "every"):
        assert expr.body is not None
        return f"{expr.kind} {elements}{where} satisfies {_at(expr.body, _IF)}", _IF
    # A condition at the end would swallow what follows.
    level = _IF if where else _ATOM
    if expr.body is None:
        return f"count of {elements}{where}", level
    return f"sum of {_at(expr.body, _SUM)} for {elements}{where}", level
