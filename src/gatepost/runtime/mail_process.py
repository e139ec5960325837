"""The mail worker's process."""

from gatepost.runtime.child_process import SupervisorLink, Word
from gatepost.runtime.compose_mail import compose_mail_parts
from gatepost.runtime.control_client import socket_path
from gatepost.runtime.process import Handlers, handle_signals
from gatepost.runtime.roles import MailWorker
from gatepost.runtime.worker_plan import WorkerPlan


async def run_mail(plan: WorkerPlan, link: SupervisorLink) -> None:
    """Accept and deliver until told to stop."""
    parts = await compose_mail_parts(
        plan.settings,
        index=plan.index,
        listeners=sorted({name for name, _ in plan.sockets}),
        config_path=plan.config_path,
        environment=plan.environment,
        on_prepared=lambda: link.tell(Word.PREPARED),
    )
    worker = MailWorker(plan.index, parts, socket_path(plan.settings.run_dir, plan.index))
    handle_signals(Handlers(stop=lambda: worker.stop(in_a_hurry=link.is_orphaned), reload=parts.reload))
    await worker.run(plan.sockets, on_ready=lambda: link.tell(Word.READY))
