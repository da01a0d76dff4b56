# Wildberries' chat methods, asked by the published client wildberries-sdk.
from wildberries_sdk import communications, general

from checks import ANSWER, PNG, REFUSED, only, raises, run, same

QUESTION = "Какой размер взять?"


def client(package, checks, key):
    # Each method names its real host; the client has a switch to leave that aside.
    configuration = package.Configuration(
        host=checks.address("wildberries"),
        ignore_operation_servers=True,
        api_key={"HeaderApiKey": key},
    )
    return package.DefaultApi(package.ApiClient(configuration))


def all_events(api):
    events, after = [], None
    while True:
        page = api.get_v1_seller_events(next=after).result
        if not page.events:
            return events
        events += page.events
        after = page.next


def work(checks):
    key = checks.credentials["api_key"]
    api = client(communications, checks, key)
    written = checks.buyer_writes(QUESTION)
    chat, question = written["chat"], written["message"]

    with checks.step("ping"):
        same(client(general, checks, key).get_ping().status, "OK")

    with checks.step("lists all chats"):
        chats = api.get_v1_seller_chats().result
        same(sorted(entry.chat_id for entry in chats), sorted(checks.chats()))
        entry = only(entry for entry in chats if entry.chat_id == chat)
        same(entry.last_message.text, QUESTION)

    with checks.step("reads the buyer's message in the events"):
        event = only(event for event in all_events(api) if event.chat_id == chat)
        same((event.event_id, event.message.text), (question, QUESTION))
        same((event.sender.value, event.is_new_chat), ("client", True))
        same(event.reply_sign, entry.reply_sign)

    with checks.step("sends a text, received exactly once"):
        answer = api.post_v1_seller_message(reply_sign=entry.reply_sign, message=ANSWER)
        same(answer.result.chat_id, chat)
        sent = checks.received_once(chat, ANSWER)

    with checks.step("reads its echo, after the buyer's message"):
        events = [event for event in all_events(api) if event.chat_id == chat]
        same([event.event_id for event in events], [question, sent])
        same((events[1].message.text, events[1].sender.value), (ANSWER, "seller"))

    with checks.step("downloads what the buyer attached"):
        file = {"name": "a.png", "moderation": "passed"}
        shown = checks.buyer_writes("Вот так выглядит", chat=chat, file=file)["message"]
        event = only(event for event in all_events(api) if event.event_id == shown)
        image = only(event.message.attachments.images)
        same(api.get_v1_seller_download_id(image.download_id)[:8], PNG[:8])

    with checks.step("a wrong key is refused with the client's own error"):
        entry = only(entry for entry in api.get_v1_seller_chats().result if entry.chat_id == chat)
        stranger = client(communications, checks, "wrong")
        with raises(communications.exceptions.UnauthorizedException) as caught:
            stranger.post_v1_seller_message(reply_sign=entry.reply_sign, message=REFUSED)
        same(caught[0].status, 401)
        checks.refused_once(REFUSED, 401)


run("wildberries", "wildberries-sdk", work)
