"""The policy expression language: grammar, syntax tree, types, checker, reference interpreter and emitters.

What lives here: everything that gives an expression its meaning, for any environment of names.
What does not: which facts exist (mqk.guards), where expressions are written (mqk.policy).
"""

from mqk.dsl.check import Checked, check_expression
from mqk.dsl.environment import CollectionRef, ConstantRef, DerivedRef, ElementRef, Environment, FactRef, Ref
from mqk.dsl.errors import DslError, EvaluationError
from mqk.dsl.evaluate import Lookup, Within, evaluate
from mqk.dsl.format import format_expression
from mqk.dsl.parse import parse_expression
from mqk.dsl.syntax import Expr
from mqk.dsl.types import Type

__all__ = [
    "Checked",
    "CollectionRef",
    "ConstantRef",
    "DerivedRef",
    "DslError",
    "ElementRef",
    "Environment",
    "EvaluationError",
    "Expr",
    "FactRef",
    "Lookup",
    "Ref",
    "Type",
    "Within",
    "check_expression",
    "evaluate",
    "format_expression",
    "parse_expression",
]
