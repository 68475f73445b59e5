"""What an action is: one function from a table expression to a table expression, and the form that describes it.

Each family of actions is one module in ``nextbasket.recipes.actions`` that registers its functions here; the parser,
the documentation and the console's forms all come from the forms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import ibis.expr.types as ir

from nextbasket.recipes.parameters import Parameter

Parameters: TypeAlias = Mapping[str, Any]
"""An action's typed parameters by name; absent optional ones hold their default."""

Apply: TypeAlias = Callable[[ir.Table, Parameters], ir.Table]


class Conditions(StrEnum):
    """What a step's ConditionExpressions mean for its action."""

    LIMIT = "the action changes only the rows where all conditions hold"
    OWN = "the conditions are the action's own test, given to it as the parameter 'conditions'"
    REFUSED = "the action takes no conditions"


@dataclass(frozen=True, slots=True)
class Form:
    """How an action is written: its name, family, parameters, and what it does.

    ``decisions`` say what nextbasket does where the documentation is silent. ``keeps_rows`` is true for actions that
    give one row for each row they get.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    decisions: tuple[str, ...] = ()
    keeps_rows: bool = True
    conditions: Conditions = Conditions.LIMIT


@dataclass(frozen=True, slots=True)
class Action:
    """A registered action."""

    form: Form
    apply: Apply


class Family:
    """The actions of one module, gathered by its decorators."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.actions: dict[str, Action] = {}

    def action(
        self,
        name: str,
        *parameters: Parameter,
        decisions: tuple[str, ...] = (),
        keeps_rows: bool = True,
        conditions: Conditions = Conditions.LIMIT,
    ) -> Callable[[Apply], Apply]:
        """Register a function as the action ``name``; the first line of its docstring is the form's summary."""

        def register(apply: Apply) -> Apply:
            summary = (apply.__doc__ or "").strip().split("\n")[0]
            form = Form(name, self.name, summary, parameters, decisions, keeps_rows, conditions)
            self.actions[name] = Action(form, apply)
            return apply

        return register
