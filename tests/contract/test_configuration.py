"""The page of settings says what the code reads."""

from tests.support.configuration import PAGE, lines, page


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert sum(line.startswith("| `JEMBATAN_") for line in lines()) > 20
    assert PAGE.read_text() == page(), "run `make contracts`"
