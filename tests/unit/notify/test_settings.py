"""What the front desk refuses to start with."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.notify.channels import Mail
from services.notify.settings import Settings
from shared.clock import SystemClock
from shared.privacy import new_pair

KEY = "a" * 43


def settings(**changed: Any) -> Settings:
    given: dict[str, Any] = {
        "service": "notify",
        "api_url": "postgresql://a@localhost/x",
        "worker_url": "postgresql://w@localhost/x",
        "mac_key": KEY,
        "actor_key": KEY,
        "kek": f"k2:{KEY},k1:{'b' * 43}",
        "contacts_private_key": new_pair()[0],
    }
    return Settings(**given | changed)


def test_keys_are_read_and_never_shown() -> None:
    one = settings()
    assert one.key_ring.ids == ("k2", "k1")
    assert one.box_keys.public
    shown = str(one.masked()) + repr(one)
    assert KEY not in shown
    assert one.contacts_private_key.get_secret_value() not in shown


def test_the_public_address_is_a_web_address_without_a_slash() -> None:
    assert settings(public_url="https://jawab.test/").public_url == "https://jawab.test"
    with pytest.raises(ValidationError):
        settings(public_url="jawab.test")


@pytest.mark.parametrize("url", ["smtp://mail.example:25", "http://mail.example", "smtp://", "mail.example"])
def test_letters_do_not_leave_this_machine_in_the_open(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Mail(url, "a@b.test", SystemClock())
    assert "example" not in str(caught.value)


@pytest.mark.parametrize("url", ["smtps://u:p%40@mail.example", "smtp+starttls://mail.example:587", "smtp://127.0.0.1:1025"])
def test_a_mail_server_is_named_by_url(url: str) -> None:
    Mail(url, "a@b.test", SystemClock())
    with pytest.raises(ValueError):
        Mail(url, "nobody", SystemClock())
