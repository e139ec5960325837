import pytest

from gatepost.standards.transport_security.tags import read_tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        pytest.param("v=X1; id=1;", {"id": "1"}, id="one"),
        pytest.param("v=X1 ;a = b ; c=", {"a": "b", "c": ""}, id="white space, and nothing as a value"),
        pytest.param("v=X1;a=1;a=2", {"a": "1"}, id="the first counts"),
        pytest.param("v=X1", {}, id="none"),
        pytest.param("v=X1;u=https://a.test/?b=c", {"u": "https://a.test/?b=c"}, id="an equals sign in the value"),
    ],
)
def test_fields_are_read(text, tags):
    assert read_tags(text, "v=X1") == tags


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("v=X2; id=1", "begin with v=X1", id="another version"),
        pytest.param("", "begin with v=X1", id="nothing"),
        pytest.param("v=X1; id", "no field", id="no value"),
        pytest.param("v=X1; \0=1", "no field", id="no name"),
    ],
)
def test_what_is_no_such_record_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_tags(text, "v=X1")
