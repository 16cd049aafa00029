"""A service's method that a request calls takes the `actor` first, wherever rights matter."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EDGE, SERVICES, WIRING = (ROOT / "chalicelib" / name for name in ("edge", "services", "wiring"))
# Methods that the edge calls without an actor, and why.
WITHOUT = {
    "Accounts.public_name": "everybody may know who is meant",
    "Accounts.sign_up": "who signs up has no account yet",
    "Applications.public": "everybody may know an application's name",
    "Authentication.by_bearer": "the token says who the actor is",
    "Federation.exchange": "the token of the other issuer says who the actor is",
    "HealthChecks.health": "whoever watches the registry has no account in it",
    "HealthChecks.has_disk_space": "whoever watches the registry has no account in it",
    "Messages.all": "everybody may read the operator's messages",
    "OAuth.check_application": "the application is checked before anybody signs in",
    "OAuth.exchange": "the application proves itself by its secret",
    "Relays.presign": "the relay signs its request, and the upload's token was given to a pusher",
    "Relays.store": "the relay signs its request, and the upload's token was given to a pusher",
    "Sessions.begin": "the account was authenticated just before",
    "Sessions.believe": "the cookie says who the actor is",
    "Sessions.check_csrf": "cookie and CSRF token are compared before anybody is known",
    "Sessions.sign_in": "name and password say who the actor is",
    "Sessions.anonymous": "nobody is signed in",
    "Setup.initialize": "whoever has the set-up secret has no account yet",
    "Tokens.believe": "the token says who the actor is",
    "Tokens.issue": "name and password say who the actor is",
    "UploadTokens.verify": "it checks the signature of an upload's token, which names no actor",
}


def trees(folder: Path) -> Iterator[ast.Module]:
    """The modules below a folder."""
    return (ast.parse(path.read_text("utf-8")) for path in sorted(folder.rglob("*.py")))


def calls_of_the_edge() -> set[tuple[str, str, str]]:
    """Room, accessor and method of `services().room.accessor.method`, read through local names such as `container`.

    Jobs are left out: the clock and the stream start them, so that they have no actor.
    """
    found = set()
    for path in EDGE.rglob("*.py"):
        if EDGE / "jobs" in path.parents:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            meanings = {name: ast.unparse(value) for name, value in assigned(function)}
            for node in [node for node in ast.walk(function) if isinstance(node, ast.Attribute)]:
                first, *others = ast.unparse(node).split(".")
                parts = [*meanings.get(first, first).split("."), *others]
                if parts[0] == "services()" and len(parts) == 4 and parts[1] != "stores":
                    found.add((parts[1], parts[2], parts[3]))
    return found


def assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What is assigned to which name; several at once are told apart."""
    for node in [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]:
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from zip(map(ast.unparse, target.elts), value.elts, strict=True)
        else:
            yield ast.unparse(target), value


def classes_of_accessors() -> dict[tuple[str, str], str]:
    """The class behind each accessor of a room: a property's return type, or what `__init__` calls."""
    found = {}
    for path in WIRING.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Constant | ast.Name):
                found[path.stem, node.name] = ast.unparse(node.returns).strip("'")
        for name, value in assigned(tree):
            if name.startswith("self.") and isinstance(value, ast.Call):
                found[path.stem, name.removeprefix("self.")] = ast.unparse(value.func)
    return found


def parameters() -> dict[str, list[str]]:
    """Class and method, with the names of the method's parameters."""
    return {
        f"{kind.name}.{node.name}": [argument.arg for argument in node.args.args[1:]]
        for tree in trees(SERVICES)
        for kind in tree.body
        if isinstance(kind, ast.ClassDef)
        for node in kind.body
        if isinstance(node, ast.FunctionDef)
    }


def called() -> dict[str, list[str]]:
    """The methods that the edge calls, with the names of their parameters."""
    classes, known = classes_of_accessors(), parameters()
    return {
        name: known[name]
        for room, accessor, method in calls_of_the_edge()
        if (name := f"{classes[room, accessor]}.{method}")
    }


def test_a_method_that_a_request_calls_takes_the_actor_first() -> None:
    methods = called()

    assert len(methods) > 100
    assert sorted(name for name, names in methods.items() if names[:1] != ["actor"] and name not in WITHOUT) == []


def test_every_excuse_is_needed() -> None:
    lacking = {name for name, names in called().items() if names[:1] != ["actor"]}

    assert sorted(WITHOUT.keys() - lacking) == []
