from gatepost.cli.demo.trial import format_books
from gatepost.mailflow.queue.recipient import Books
from gatepost.primitives.ids import AccountId


def test_books_are_written_as_an_equation():
    books = Books(
        account_id=AccountId("acc_1"), accepted=21, delivered=1, bounced=2, dropped=3, expired=4, queued=5, held=6
    )

    assert format_books(books) == ("accepted 21 = delivered 1 + bounced 2 + dropped 3 + expired 4 + queued 5 + held 6")
