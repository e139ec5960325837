"""Submission over real sockets and TLS, on both event loops."""


async def test_a_message_over_starttls_is_accepted_with_its_id(relay, connect) -> None:
    client = await connect(await relay.listen())

    assert (await client.hear()).startswith("220 relay.test ")
    await client.log_in()
    reply = await client.send(b"Subject: x\r\n\r\n..dot\r\n")

    assert reply == "250 2.0.0 Ok: queued as message-1"
    assert relay.door.contents == [b"Subject: x\r\n\r\n.dot\r\n"]
    origin = relay.door.submissions[0].origin
    assert (origin.protocol, origin.peer_address, origin.greeting) == ("ESMTPSA", "127.0.0.1", "client.test")
    assert origin.tls.startswith("TLSv1.3 ")
