"""Services are asked by somebody: `actor` comes first wherever rights matter."""

import ast
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "chalicelib" / "services"
# Public methods without an actor, and why. A class stands for all its methods.
WITHOUT = {
    "Accounts.create_user": "the seed's and the operator's, who have no token",
    "Accounts.sign_up": "who signs up is nobody yet",
    "Accounts.has_first_user": "asked before there is anybody",
    "Accounts.find": "by a name that a right has been looked up by",
    "Accounts.public_name": "what everybody may know",
    "Asked.policy": "what somebody wrote, read before it is followed",
    "Applications.public": "what everybody may know",
    "Authorizations.prepared": "within a grant, whose rights were checked",
    "Authorizations.revoke_stolen": "a code that was shown twice needs no right to end what it gave",
    "Checks": "who watches the backend has no account in it",
    "Messages.all": "what everybody may know",
    "TokenContext": "rows that a door reads to find out who the actor is",
    "AccountDeletion.sweep": "asked by the clock",
    "Setup.initialize": "whoever has the set-up secret is nobody yet",
    "Key": "keys and claims alone",
    "Signing": "keys and claims alone",
    "Issuers": "keys of others, and tokens held against them, before anybody is known",
    "Federation.exchange": "the token says who it is",
    "Federation.believe": "the token says who it is",
    "Authentication": "finds out who the actor is",
    "Prototypes.apply": "a part of making a repository, whose rights were checked",
    "Identity": "what a door found out",
    "Sessions": "a cookie and a password say who it is",
    "Throttles": "before anybody is known",
    "ExpiryLabels": "within a push, whose rights were checked",
    "Envelope": "keys and bytes alone",
    "PageTokens": "seals and opens places in lists",
    "VisibleRepositories": "made for one actor",
    "RepositoryAccess": "made for one actor",
    "OAuth.exchange": "the application proves itself by its secret",
    "OAuth.client": "read by Authlib, within a grant",
    "OAuth.keep_code": "called by Authlib, within a grant whose rights were checked",
    "OAuth.fresh_code": "called by Authlib: a code is its own proof",
    "OAuth.giver": "called by Authlib, for a code that was proven",
    "OAuth.make_token": "called by Authlib, within a grant whose rights were checked",
    "OAuth.keep_token": "called by Authlib, within a grant whose rights were checked",
    "Client": "an application in Authlib's words",
    "CodeGrant": "Authlib's words",
    "Challenge": "Authlib's words",
    "Server": "Authlib's words",
    "Tokens": "turns credentials into actors",
    "UsageLog.record_refused_sign_in": "nobody was let in",
    "UsageLog.flush": "the process ends",
    "PullLog": "behind Usage, which has the actor",
    "Remembered": "behind Usage, which has the actor",
    "BodyCache": "bytes that `pull` has asked for already",
    "TagChanges": "a part of a transaction whose rights were checked",
    "Edges": "a part of a push, whose rights were checked",
    "DirectUploads": "within a find or a push, whose rights were checked, and within the reconcile",
    "Garbage": "asked by the clock",
    "RepositoryDeletion.work": "asked by the clock",
    "Immutability": "asked by the clock",
    "WindowChanges": "asked by the clock",
    "TagExpiry": "asked by the clock",
    "StaleUploads": "asked by the clock",
    "Candidates": "within a round of pruning, or a preview whose rights were checked",
    "Reclaimable": "within a fate, whose rights were checked",
    "_Going": "within a look of Losses",
    "Pruning": "asked by the clock",
    "SignatureTags": "asked by the collector",
    "Walk": "how far a walk through tags has come",
    "Spot": "how far a round of pruning has come",
    "Reconcile": "asked by the clock",
    "Timers": "asked by the clock",
    "Quotas.warn": "asked by the clock",
    "Exports.advance": "asked by the clock, for whoever had the right when they asked",
    "UploadTokens": "signs and reads tokens",
    "Relays": "the relay signs, and the upload's token was given to a pusher",
    "Access.known": "reads what a grant says",
    "Access.walk": "takes the account's row itself: this is where rights come from",
    "Access.look_again": "takes the batch first, which it adds to",
    "Pulls.work": "asked by the clock",
    "NamespacePurge": "asked by the clock",
    "Renames.work": "asked by the clock",
    "Rights": "made for one actor",
    "Blobs.hold": "within a push, whose rights were checked",
    "Blobs.adopt": "within a find or a push, whose rights were checked",
    "Uploads.progress": "signs a token",
    "Uploads.prepare_parts": "within an upload, whose rights were checked",
    "Uploads.keep": "within an upload, whose rights were checked",
    "Uploads.new_row": "within an upload, whose rights were checked",
}


def public_methods() -> dict[str, list[str]]:
    """Class and method, with the names of its parameters."""
    found = {}
    for path in SERVICES.rglob("*.py"):
        for kind in [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]:
            for node in [node for node in kind.body if isinstance(node, ast.FunctionDef)]:
                if not node.name.startswith("_") and not any(
                    "property" in ast.dump(mark) for mark in node.decorator_list
                ):
                    found[f"{kind.name}.{node.name}"] = [argument.arg for argument in node.args.args[1:]]
    return found


METHODS = public_methods()


@pytest.mark.parametrize("method", METHODS)
def test_a_public_method_takes_the_actor_first(method: str) -> None:
    excused = method in WITHOUT or method.partition(".")[0] in WITHOUT

    assert excused or METHODS[method][:1] == ["actor"]


def test_every_exception_is_needed() -> None:
    lacking = {method for method, arguments in METHODS.items() if arguments[:1] != ["actor"]}

    assert {
        name for name in WITHOUT if not any(method == name or method.startswith(name + ".") for method in lacking)
    } == set()
