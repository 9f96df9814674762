"""Which calls of AWS's API some source code makes, found in its syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import boto3
from botocore import xform_name


def calls_of(paths: Iterable[Path]) -> set[tuple[str, str]]:
    """(service, operation in snake case) of every call, by client or paginator, in the files that concern boto3's clients.

    Which object a method is called on cannot be told from syntax, so each method named like an operation of a service that
    the code makes clients of is taken for a call of it.
    """
    trees = [ast.parse(path.read_text(), str(path)) for path in paths]
    services = {name for tree in trees for name in _texts_given_to(tree, "client")}
    operations = {service: _operations(service) for service in services}
    named = {name for tree in trees for name in _called(tree)}
    return {(service, name) for service, known in operations.items() for name in named & known}


def _operations(service: str) -> set[str]:
    names = boto3.client(service, region_name="eu-west-1").meta.service_model.operation_names
    return {xform_name(name) for name in names}


def _called(tree: ast.AST) -> Iterator[str]:
    """Names of the methods called, and of those that paginators and waiters are asked for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr
    yield from _texts_given_to(tree, "get_paginator")


def _texts_given_to(tree: ast.AST, method: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield from (each.value for each in node.args[:1] if isinstance(each, ast.Constant))
