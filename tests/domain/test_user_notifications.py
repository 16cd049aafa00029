"""Notifications of users."""

from chalicelib.domain.user_notifications import EMAIL_SET, PASSWORD_SET, UserNotification


def test_a_notification_is_shown_until_it_is_dismissed() -> None:
    notice = UserNotification("6b4e", PASSWORD_SET, 1, {"by": "admin"})

    assert not notice.dismissed
    assert PASSWORD_SET != EMAIL_SET
