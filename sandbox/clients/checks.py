# What the scripts of the three clients share: the sandbox's control, steps that are counted, no way off this machine.
import asyncio
import base64
import contextlib
import hashlib
import inspect
import json
import sys
import urllib.parse
import urllib.request
from importlib.metadata import files, version


def _stay_here(event, arguments):
    # A client that does not take the sandbox's address would talk to the real marketplace.
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host not in ("127.0.0.1", b"127.0.0.1"):
        raise ConnectionRefusedError(f"the client turned to {host}, which is not the sandbox")


class Failed(Exception):
    """A step failed; it has been printed."""


class Checks:
    """The steps of one client against one marketplace."""

    def __init__(self, marketplace, sandbox):
        self.marketplace = marketplace
        self.passed = 0
        self.failed = 0
        self._sandbox = sandbox
        self._seen = 0
        # Chosen as `control` chooses, so that the chats written below are this shop's.
        self.shop = next(
            shop
            for shop in self.control("state")["shops"]
            if shop["marketplace"] == marketplace and shop["connected_to"] == "demo"
        )
        self.seller = self.shop["seller"]
        self.credentials = self.shop["credentials"]

    def address(self, path):
        return f"{self._sandbox}/{path}"

    def control(self, path, body=None, **query):
        """Asks the sandbox itself, past all marketplaces."""
        address = self.address(f"control/{path}?{urllib.parse.urlencode(query)}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(address, data), timeout=30) as answer:
            return json.load(answer)

    def buyer_writes(self, text, **more):
        """A buyer's message, in a new chat unless `chat` is given."""
        return self.control(
            "buyers/write",
            {"marketplace": self.marketplace, "seller": self.seller, "text": text, **more},
        )

    def chats(self):
        """The ids of all chats the shop has."""
        return {
            chat["chat"]
            for chat in self.control("state")["chats"]
            if (chat["marketplace"], chat["seller"]) == (self.marketplace, self.seller)
        }

    def sends(self):
        """The sends that reached the marketplace since the last call, refused ones too."""
        entries = self.control("journal", after=self._seen)["entries"]
        self._seen = max([self._seen, *(entry["seq"] for entry in entries)])
        mine = [entry for entry in entries if entry["marketplace"] == self.marketplace]
        return [entry for entry in mine if entry["kind"] == "received"]

    def received_once(self, chat, text):
        """Holds the journal to one send, of exactly this text and accepted; the message's id."""
        sends = self.sends()
        found = [(send["seller"], send["chat"], send["text"], send["status"]) for send in sends]
        same(found, [(self.seller, chat, text, 200)])
        return sends[0]["message"]

    def refused_once(self, text, status):
        """Holds the journal to one send, refused."""
        same([(send["text"], send["status"]) for send in self.sends()], [(text, status)])

    def fail(self, name, error):
        self.failed += 1
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"  FAILED  {self.marketplace}: {name}: {reason[:600]}", flush=True)

    @contextlib.contextmanager
    def step(self, name):
        try:
            yield
        except Exception as error:
            self.fail(name, error)
            raise Failed from error
        self.passed += 1
        print(f"  ok  {name}", flush=True)


def same(found, expected):
    """Fails with both sides if they differ."""
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def only(items):
    """The one item there is."""
    items = list(items)
    if len(items) != 1:
        raise AssertionError(f"found {len(items)} of what there is once: {items!r}")
    return items[0]


@contextlib.contextmanager
def raises(kind):
    """Fails unless the client raises its own error; hands it out in a list."""
    caught = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


def as_published(distribution):
    """Fails unless every file of the client is what its package lists."""
    for file in files(distribution):
        if file.hash:
            digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
            found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            same((str(file), found), (str(file), file.hash.value))


def run(marketplace, distribution, work):
    """Runs the steps and ends the process with what they came to."""
    print(f"{marketplace}: {distribution} {version(distribution)}", flush=True)
    sys.addaudithook(_stay_here)
    checks = Checks(marketplace, sys.argv[1])
    try:
        with checks.step("the client is as published"):
            as_published(distribution)
        outcome = work(checks)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
    except Failed:
        pass
    except Exception as error:
        checks.fail("between the steps", error)
    print(f"{checks.passed} passed, {checks.failed} failed", flush=True)
    sys.exit(1 if checks.failed or not checks.passed else 0)


# Quotes, signs of other formats, two lines and a character of four bytes: what careless encoding spoils.
ANSWER = "Здравствуйте, «Анна»! \"100 %\" + 5 & <b>\\n</b> 🙂\nОтправим завтра."
REFUSED = "Этого никто не увидит."
# A picture of one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
