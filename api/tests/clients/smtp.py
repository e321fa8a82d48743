"""A mail server that behaves by recipient. Usage: python smtp.py [--tls CERT KEY | --starttls CERT KEY] [--auth NAME PASSWORD]

Prints the port it listens on; then a line of JSON for every message it has been given: whether it was taken (`accepted`), the
envelope, the headers, the parts, and whether its signature holds (`dkim`, by the key of `--dkim DNS-RECORD`). Local parts:
`busy` 451 and `gone` 550 at RCPT, `full` 452 and `spam` 554 at the end of the data, `drop` takes the data and hangs up without an
answer, `slow` takes it and never answers. A line on standard input ends it, and so does its end.
"""
import argparse, asyncio, email, email.policy, json, logging, ssl, sys, warnings
import dkim
from aiosmtpd.smtp import SMTP, AuthResult

# What it thinks of its clients is for the tests to say.
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

AT_RCPT = {"busy": "451 4.2.1 not now", "gone": "550 5.1.1 nobody here"}
AT_END = {"full": "452 4.2.2 no room", "spam": "554 5.7.1 not this"}

class Handler:
    def __init__(self, record):
        self.record = record

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = AT_RCPT.get(address.split("@")[0])
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 fine"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0].split("@")[0]
        self.say(server, session, envelope, accepted=to not in AT_END)
        if to == "drop":
            server.transport.abort()
        if to in ("drop", "slow"):
            await asyncio.Event().wait()
        return AT_END.get(to, "250 queued")

    def say(self, server, session, envelope, accepted):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        print(json.dumps({
            "accepted": accepted,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "authenticated": bool(session.authenticated),
            "headers": [[name, str(value)] for name, value in message.items()],
            "type": message.get_content_type(),
            "parts": [[part.get_content_type(), part.get_content().replace("\r\n", "\n")] for part in parts],
            "dkim": self.verified(envelope.content),
        }), flush=True)

    def verified(self, content):
        if self.record is None:
            return None
        return dkim.verify(content, dnsfunc=lambda name, timeout=5: self.record.encode())

async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--starttls", nargs=2)
    parser.add_argument("--auth", nargs=2)
    parser.add_argument("--dkim")
    said = parser.parse_args()
    implicit = starttls = None
    if said.tls or said.starttls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*(said.tls or said.starttls))
        implicit, starttls = (context, None) if said.tls else (None, context)

    def authenticate(server, session, envelope, mechanism, data):
        known = said.auth and [data.login.decode(), data.password.decode()] == said.auth
        return AuthResult(success=bool(known), handled=False)

    handler = Handler(said.dkim)
    loop = asyncio.get_running_loop()
    factory = lambda: SMTP(
        handler, tls_context=starttls, require_starttls=starttls is not None, authenticator=authenticate,
        auth_required=said.auth is not None, auth_require_tls=implicit is None, loop=loop,
    )
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)

asyncio.run(main())
