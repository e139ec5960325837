"""CPU of the sending side for each message: client session and connection, towards a sink in another process.

python -m benchmarks.delivery_client [--octets 10240] [--messages 20000] [--connections 50] [--loop uvloop]
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import cast

import uvloop

from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.tls_requirement import TLSRequirement
from gatepost.network.delivery_tls import DeliveryTLS
from gatepost.network.smtp_connector import SMTPConnector
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.transaction import Transaction


class Sink(asyncio.Protocol):
    """Says yes to everything; knows a transaction by its last command and the content by its dot."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # a TCP transport is one
        self.in_content = False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        if self.in_content:
            if data.endswith(b"\r\n.\r\n"):
                self.in_content = False
                self.transport.write(b"250 2.0.0 ok\r\n")
        elif data.endswith(b"DATA\r\n"):
            self.in_content = True
            self.transport.write(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n")
        elif data.startswith(b"EHLO"):
            self.transport.write(b"250-sink\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n")
        else:
            self.transport.write(b"221 bye\r\n")


def serve(port: "multiprocessing.Queue[int]", stop: Event) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Sink, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, stop.wait)

    uvloop.run(run())


async def send(port: int, octets: int, messages: int, connections: int) -> tuple[float, float]:
    """Return CPU and wall seconds of sending so many messages over kept connections."""
    connector = SMTPConnector(greeting_name="bench.test", tls=DeliveryTLS())
    hop = NextHop(host="sink", address="127.0.0.1", port=port, tls=TLSRequirement.NONE)
    content = (b"x" * 76 + b"\r\n") * (octets // 78)
    author = Mailbox(local_part="a", domain="example.com")
    recipient = Mailbox(local_part="r", domain="example.net")
    opened = [await connector.connect(hop) for _ in range(connections)]

    async def one(index: int) -> None:
        for _ in range(messages // connections):
            transaction = Transaction(reverse_path=author, forward_paths=(recipient,), size_octets=len(content))
            result = await opened[index].send(transaction, iter((content,)))
            assert result.content is not None
            assert result.content.code == 250

    cpu, wall = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for index in range(connections):
            tasks.create_task(one(index))
    spent = time.process_time() - cpu, time.perf_counter() - wall
    for connection in opened:
        connection.close()
    await asyncio.sleep(0.05)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--octets", type=int, default=10240)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    chosen = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = spawn.Queue()
    stop = spawn.Event()
    sink = spawn.Process(target=serve, args=(port, stop))
    sink.start()
    run: Callable[..., tuple[float, float]] = uvloop.run if chosen.loop == "uvloop" else asyncio.run
    cpu, wall = run(send(port.get(), chosen.octets, chosen.messages, chosen.connections))
    stop.set()
    sink.join()
    print(
        f"{chosen.loop}: {chosen.messages} messages of {chosen.octets} octets over {chosen.connections} connections: "
        f"{cpu / chosen.messages * 1e6:.1f} us CPU each, {chosen.messages / wall:.0f}/s"
    )


if __name__ == "__main__":
    main()
