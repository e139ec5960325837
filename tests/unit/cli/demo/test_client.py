from gatepost.cli.demo.client import compose


def test_message_has_what_it_is_given():
    message = compose(
        author="Ann <a@example.test>", recipient="b@inbox.test", subject="S", message_id="<1@x>", text="T"
    )

    assert (message["From"], message["To"], message["Subject"]) == ("Ann <a@example.test>", "b@inbox.test", "S")
    assert (message["Message-ID"], message.get_content()) == ("<1@x>", "T\n")
