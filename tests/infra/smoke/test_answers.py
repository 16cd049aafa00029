"""The author of an answer is recognised."""

from email.message import Message
from http.client import HTTPMessage

import pytest

from infra.smoke.answers import author, errors_of, is_cloudfront, summary_of
from infra.smoke.wire import Answer

OCI = b'{"errors":[{"code":"SIZE_INVALID","message":"too   large"}]}'


def an_answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    message: Message = HTTPMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    assert isinstance(message, HTTPMessage)
    return Answer(status, message, body, 0.1, 0)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (an_answer(413, OCI, X_Cache="FunctionGeneratedResponse from cloudfront"), "edge function"),
        (an_answer(403, b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'), "S3"),
        (an_answer(413, b'{"message":"Request Too Long"}', Apigw_Requestid="x"), "gateway"),
        (an_answer(401, OCI, Docker_Distribution_API_Version="registry/2.0"), "app"),
        (an_answer(201, Apigw_Requestid="x"), "app"),
        (an_answer(502, b"<!DOCTYPE HTML><HTML>x", Via="1.1 x.cloudfront.net (CloudFront)"), "CloudFront"),
        (an_answer(413, OCI), "edge or relay"),
        (an_answer(201), ""),
        (an_answer(500, b"[1]"), ""),
    ],
)
def test_the_author_of_an_answer_is_recognised(answer: Answer, name: str) -> None:
    assert author(answer) == name


@pytest.mark.parametrize("body", [b"", b"[]", b'{"errors":"x"}', b'{"errors":[1]}', b'{"errors":[{}]}', b"\xff"])
def test_anything_else_is_no_error_of_the_specification(body: bytes) -> None:
    assert errors_of(an_answer(413, body)) == []


def test_cloudfront_is_recognised_by_either_of_its_headers() -> None:
    assert is_cloudfront(an_answer(200, X_Amz_Cf_Id="x"))
    assert is_cloudfront(an_answer(200, Via="1.1 x.cloudfront.net (CloudFront)"))
    assert not is_cloudfront(an_answer(200, Via="1.1 proxy"))


def test_an_answer_is_summarised_in_a_few_words() -> None:
    assert summary_of(an_answer(413, OCI)) == "413 by edge or relay: SIZE_INVALID too large"
    assert summary_of(an_answer(201, b"ignored")) == "201"
    assert summary_of(an_answer(502)) == "502"
    assert len(summary_of(an_answer(502, b"x" * 5000))) < 100
