"""Commands of the contract that are not built yet: each says so and ends with status 3."""

import typer

from nextbasket.errors import NotBuiltError

PLANNED = {
    "profile": "statistics of a table or file",
    "ruleset": "data-quality rules on a table or file",
    "tune": "search for better training parameters",
    "endpoint": "answer predictions as SageMaker's container does",
    "serve": "the API, the public page and the console",
    "jobs": "the jobs that rules start",
    "runs": "the runs of jobs",
    "rules": "schedules and triggers",
    "events": "what happened, and replay",
    "up": "run by schedule and by trigger",
    "doctor": "look for what is wrong with a home or a machine",
    "synth": "write the AWS home's templates",
    "deploy": "deploy the AWS home",
    "destroy": "remove the AWS home",
}


def add_to(app: typer.Typer) -> None:
    """Register the planned commands."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name, does in PLANNED.items():
        app.command(name, context_settings=settings, help=f"Not built yet: {does}.")(_refuse)


def _refuse(context: typer.Context) -> None:
    raise NotBuiltError(f"'nextbasket {context.info_name}'")
