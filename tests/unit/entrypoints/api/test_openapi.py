import msgspec
from msgspec import Struct

from gatepost.entrypoints.api.openapi import describe, render_document
from gatepost.entrypoints.api.operation import Answer, Operation


class Wanted(Struct):
    """What is wanted."""

    name: str


class Made(Struct):
    """What was made."""

    id: int


async def run(_call):
    return Answer(status=200)


GET = Operation(
    method="GET", path="/v3/things/{thing_id}", name="GetThing", summary="Show it.", scope="things.read", run=run,
    gives={200: Made}, refuses=(404,), query={"limit": "How many."},
)  # fmt: skip
POST = Operation(
    method="POST", path="/v3/things", name="MakeThing", summary="Make it.", scope=None, run=run, takes=Wanted,
    gives={201: Made, 204: None},
)  # fmt: skip


def test_operations_are_described_under_their_paths():
    paths = describe([GET, POST])["paths"]

    assert paths["/v3/things/{thing_id}"]["get"]["parameters"] == [
        {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "string"}},
        {
            "name": "limit", "in": "query", "description": "How many.", "schema": {"type": "integer", "minimum": 1},
        },
    ]  # fmt: skip
    assert paths["/v3/things"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Wanted"
    }
    assert paths["/v3/things/{thing_id}"]["get"]["x-required-scope"] == "things.read"


def test_every_status_that_may_come_is_there():
    paths = describe([GET, POST])["paths"]

    get, post = paths["/v3/things/{thing_id}"]["get"]["responses"], paths["/v3/things"]["post"]["responses"]
    assert set(get) == {"200", "401", "403", "404", "405", "429", "500", "503"}
    assert set(post) == {"201", "204", "400", "401", "403", "405", "408", "413", "415", "429", "500", "503", "507"}
    assert "content" not in post["204"]


def test_every_struct_that_is_referred_to_is_there():
    text = render_document([GET, POST]).decode()
    document = msgspec.json.decode(text)

    assert set(document["components"]["schemas"]) == {"Wanted", "Made", "Errors", "FieldError"}
    assert render_document([GET, POST]).decode() == text
