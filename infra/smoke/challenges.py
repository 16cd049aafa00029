"""Checks authentication: the challenge, the token endpoint, and the gateway's own host behind CloudFront."""

import secrets

from infra.smoke.answers import summary_of
from infra.smoke.claims import Check, Finding, decided, fails, holds, not_offered, unknown
from infra.smoke.client import SmokeClient
from infra.smoke.tokens import read_token
from infra.smoke.wire import exchange


def challenge(client: SmokeClient) -> Finding:
    """Checks for a 401 on /v2/ with the one header that clients read."""
    answer = exchange("GET", f"{client.url}/v2/")
    literal, twin = answer.header("WWW-Authenticate"), answer.header("Registry-Challenge")
    renamed = answer.header("X-Amzn-Remapped-WWW-Authenticate")
    if answer.status != 401:
        return fails(f"GET /v2/ without a token: {summary_of(answer)}")
    if literal.startswith("Bearer realm="):
        if renamed:
            return holds("401; the gateway renames the header, and the mapping of infra/terraform/api.tf restores it")
        return holds("401, with no renamed header beside it; whether the mapping is needed does not show")
    arrived = f"WWW-Authenticate is {literal[:40]!r}" if literal else "there is no WWW-Authenticate"
    others = [name for name, value in (("Registry-Challenge", twin), ("the renamed one", renamed)) if value]
    return fails(f"401, but {arrived}; the challenge arrives as: {' and '.join(others) or 'no header at all'}")


def sign_in(client: SmokeClient) -> Finding:
    """Signs in as `docker login` does, by GET and by POST, and uses the token."""
    if not client.tokens.leads_here():
        realm = client.tokens.realm().get("realm", "none")
        return fails(f"the realm is {realm[:60]}, another host than {client.url}: clients would ask there")
    got, posted = client.tokens.request_token(), client.tokens.request_token(method="POST")
    for answer in (got, posted):
        if answer.status != 200:
            return fails(f"the token endpoint answered {summary_of(answer)}")
    shown = [("Authorization", f"Bearer {read_token(posted)[0]}")]
    answer = exchange("GET", f"{client.url}/v2/", shown)
    seconds = f"token in {got.seconds:.2f} s"
    return decided(answer.status == 200, f"{seconds}; GET /v2/ with it: {summary_of(answer)}")


def wrong_password(client: SmokeClient) -> Finding:
    """Checks that a wrong password gets no token."""
    guess = secrets.token_urlsafe(24)
    answers = [client.tokens.request_token(guess), client.tokens.request_token(guess, "POST")]
    # The registry forgets wrong passwords after a right one, so that a run brings nobody nearer to a pause.
    client.tokens.request_token()
    outcomes = ", ".join(summary_of(answer) for answer in answers)
    return decided(all(answer.status == 401 for answer in answers), f"by GET and by POST: {outcomes}")


def closed_gateway(client: SmokeClient) -> Finding:
    """Checks that the gateway's own host refuses requests; it sends no password and no token there."""
    host = client.options.gateway
    if not host and not client.is_behind_cloudfront():
        return not_offered("this is the gateway's own host: there is no CloudFront in front (`cloudfront = true`)")
    if not host:
        return unknown("needs --gateway-host: the host of API Gateway, `API_ID.execute-api.REGION.amazonaws.com`")
    url = host.rstrip("/") if "://" in host else f"https://{host}"
    answer = exchange("GET", f"{url}/v2/")
    return decided(answer.status in (403, 404), f"GET /v2/ at the gateway's own host: {summary_of(answer)}")


CHECKS = (
    Check(
        "U2",
        "A 401 on /v2/ carries a literal WWW-Authenticate: Bearer.",
        "No client can log in without it, and no variable restores it: check with `terraform plan` that the "
        'integration "registry" still has its response parameter; else put something in front that copies '
        "Registry-Challenge to WWW-Authenticate (a Lambda@Edge at origin-response; CloudFront's functions do not run "
        "on a 401).",
        challenge,
        also=("C1",),
    ),
    Check(
        "B1",
        "Name and password get a token at the registry's own host, and the registry accepts it.",
        "Another host in the realm: use the address that `terraform output url` shows, or set `domain` to this one. "
        "503: run the line of `terraform output fill_keys`. 401: check that the account exists.",
        sign_in,
    ),
    Check(
        "B2",
        "A wrong password gets no token.",
        "Stop: everybody may push and pull. Take the installation off the network and check what answers /v2/auth.",
        wrong_password,
    ),
    Check(
        "B3",
        "Behind CloudFront, the gateway's own host refuses everyone.",
        "Run `terraform apply` with `cloudfront = true` (it sets CLOUDBERTH_ORIGIN), then the line of `terraform "
        "output fill_keys`. Until then allowed_addresses and WAF can be bypassed.",
        closed_gateway,
    ),
)
