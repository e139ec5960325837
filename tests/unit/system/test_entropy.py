from gatepost.system.entropy import SystemEntropy


def test_as_many_octets_are_drawn_as_asked_for_and_never_the_same():
    draws = {SystemEntropy().draw(32) for _ in range(100)}

    assert {len(draw) for draw in draws} == {32}
    assert len(draws) == 100
