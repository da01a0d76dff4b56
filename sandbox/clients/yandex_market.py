# Yandex Market's chat methods, asked by the published client ya-market-api.
from ya_market_api.chat.const import ChatContextType, ChatMessageSenderType
from ya_market_api.chat.dataclass import (
    ChatGetRequest,
    ChatListRequest,
    ChatMessageCreateFileRequest,
    ChatMessageCreateTextRequest,
    ChatMessageGetRequest,
    ChatMessageListRequest,
)
from ya_market_api.exception import AuthorizationError
from ya_market_api.sync_api import SyncAPI

from checks import ANSWER, PNG, REFUSED, only, raises, run, same

QUESTION = "Есть ли гарантия?"


def client(checks, key):
    business = int(checks.seller)
    return SyncAPI.build(key, base_url=checks.address("yandex"), business_id=business).chat


def list_all(api, limit):
    chats, token = [], None
    while True:
        page = api.get_chat_list(ChatListRequest(limit=limit, page_token=token)).result
        chats += page.chats
        token = page.paging and page.paging.next_page_token
        if not token:
            return chats


def work(checks):
    api = client(checks, checks.credentials["api_key"])
    written = checks.buyer_writes(QUESTION, context="DIRECT")
    chat, question = int(written["chat"]), int(written["message"])

    with checks.step("lists all chats, page by page"):
        found = [str(entry.id) for entry in list_all(api, limit=2)]
        same(sorted(found), sorted(checks.chats()))

    with checks.step("gets the chat by its id"):
        entry = api.get_chat(ChatGetRequest(chat_id=chat)).result
        same((entry.id, entry.context.type), (chat, ChatContextType.DIRECT))

    def history(**more):
        request = ChatMessageListRequest(chat_id=chat, **more)
        return api.get_chat_message_list(request).result.messages

    with checks.step("reads the buyer's message in the history"):
        message = only(history())
        same((message.id, message.message), (question, QUESTION))
        same(message.sender, ChatMessageSenderType.CUSTOMER)

    with checks.step("gets the message by its id"):
        request = ChatMessageGetRequest(chat_id=chat, message_id=question)
        same(api.get_chat_message(request).result, message)

    with checks.step("sends a text, received exactly once"):
        api.create_chat_message_text(ChatMessageCreateTextRequest(chat_id=chat, message=ANSWER))
        sent = int(checks.received_once(str(chat), ANSWER))

    with checks.step("reads its echo, after the buyer's message"):
        messages = history()
        same([message.id for message in messages], [question, sent])
        same((messages[1].message, messages[1].sender), (ANSWER, ChatMessageSenderType.PARTNER))

    with checks.step("sends a file and sees it in the history"):
        api.create_chat_message_file(ChatMessageCreateFileRequest(chat_id=chat, file=PNG))
        same([send["status"] for send in checks.sends()], [200])
        message = history()[-1]
        same((len(message.payload), message.sender), (1, ChatMessageSenderType.PARTNER))

    with checks.step("a wrong key is refused with the client's own error"):
        request = ChatMessageCreateTextRequest(chat_id=chat, message=REFUSED)
        with raises(AuthorizationError):
            client(checks, "ACMA:wrong").create_chat_message_text(request)
        checks.refused_once(REFUSED, 403)


run("yandex_market", "ya-market-api", work)
