"""A mistyped setting is told instead of being ignored in silence."""

from infra.local.variables import unknown


def test_a_mistyped_variable_is_told_with_the_nearest_name() -> None:
    assert unknown({"CLOUDBERTH_PROT": "5001", "PATH": "/bin"}) == [
        "CLOUDBERTH_PROT is no setting and has no effect; did you mean CLOUDBERTH_PORT?"
    ]


def test_a_variable_like_no_other_leads_to_the_document() -> None:
    assert unknown({"CLOUDBERTH_QQQQQQQQ": "1"}) == [
        "CLOUDBERTH_QQQQQQQQ is no setting and has no effect: see docs/settings.md."
    ]


def test_every_setting_is_known() -> None:
    assert unknown({"CLOUDBERTH_DATA": "x", "CLOUDBERTH_TOKEN_S": "60", "CLOUDBERTH_NO_SKIPS": "1"}) == []
