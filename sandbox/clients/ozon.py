# Ozon's chat methods, asked by the published client ozonapi-async.
import base64
import logging
import re

from ozonapi import SellerAPI, SellerAPIConfig
from ozonapi.seller.core.exceptions import APIForbiddenError
from ozonapi.seller.schemas.chats import (
    ChatHistoryRequest,
    ChatListRequest,
    ChatReadRequest,
    ChatSendFileRequest,
    ChatSendMessageRequest,
    ChatStartRequest,
)

from checks import ANSWER, PNG, REFUSED, only, raises, run, same

QUESTION = "Когда привезут заказ?"


def plain(data):
    """A text as it was sent: Ozon hands it out as Markdown, with the signs Markdown knows escaped."""
    return [re.sub(r"\\([^\w\s])", r"\1", part) for part in data]


async def list_all(api, limit):
    chats, cursor = [], None
    while True:
        page = await api.chat_list(ChatListRequest(limit=limit, cursor=cursor))
        chats += page.chats
        if not page.has_next:
            return chats
        cursor = page.cursor


async def work(checks):
    # It would tell of the refusal that is wanted below, as if something had gone wrong.
    logging.getLogger("ozonapi.seller").setLevel(logging.ERROR)
    config = SellerAPIConfig(base_url=checks.address("ozon"))
    client_id, key = checks.credentials["client_id"], checks.credentials["api_key"]
    async with SellerAPI(client_id=client_id, api_key=key, config=config) as api:
        await with_key(checks, api)
    with checks.step("a wrong key is refused with the client's own error"):
        chat = checks.buyer_writes(QUESTION)["chat"]
        async with SellerAPI(client_id=client_id, api_key="wrong", config=config) as api:
            with raises(APIForbiddenError):
                await api.chat_send_message(ChatSendMessageRequest(chat_id=chat, text=REFUSED))
        checks.refused_once(REFUSED, 403)
    await SellerAPI.shutdown()


async def with_key(checks, api):
    written = checks.buyer_writes(QUESTION)
    chat, question = written["chat"], int(written["message"])

    with checks.step("roles name every method of chats"):
        answer = await api.roles()
        same([role.name for role in answer.roles], checks.shop["scopes"])
        lacking = {
            "/v3/chat/list", "/v3/chat/history", "/v2/chat/read",
            "/v1/chat/start", "/v1/chat/send/message", "/v1/chat/send/file",
        }.difference(*(role.methods for role in answer.roles))
        same(lacking, set())

    with checks.step("lists all chats, page by page"):
        chats = await list_all(api, limit=3)
        same(sorted(entry.chat.chat_id for entry in chats), sorted(checks.chats()))
        entry = only(entry for entry in chats if entry.chat.chat_id == chat)
        same((entry.last_message_id, entry.unread_count), (question, 1))

    async def history(**more):
        answer = await api.chat_history(ChatHistoryRequest(chat_id=chat, limit=50, **more))
        return answer.messages

    with checks.step("reads the buyer's message in the history"):
        message = only(await history(direction="Backward"))
        same((message.message_id, message.data), (question, [QUESTION]))
        same((message.user.type, message.is_read), ("Customer", False))

    with checks.step("marks it as read"):
        answer = await api.chat_read(ChatReadRequest(chat_id=chat, from_message_id=question))
        same(answer.unread_count, 0)
        same([message.is_read for message in await history(direction="Backward")], [True])
        entry = only(e for e in await list_all(api, limit=100) if e.chat.chat_id == chat)
        same(entry.unread_count, 0)

    with checks.step("sends a text, received exactly once"):
        answer = await api.chat_send_message(ChatSendMessageRequest(chat_id=chat, text=ANSWER))
        same(answer.result, "success")
        sent = int(checks.received_once(chat, ANSWER))

    with checks.step("reads its echo, after the buyer's message"):
        messages = await history(direction="Forward", from_message_id=question)
        same([message.message_id for message in messages], [question, sent])
        same((plain(messages[1].data), messages[1].user.type), ([ANSWER], "Seller"))

    with checks.step("sends a file and sees it in the history"):
        content = base64.b64encode(PNG).decode()
        request = ChatSendFileRequest(chat_id=chat, base64_content=content, name="answer.png")
        same((await api.chat_send_file(request)).result, "success")
        same([send["status"] for send in checks.sends()], [200])
        message = (await history(direction="Backward"))[0]
        same((message.is_image, message.user.type), (True, "Seller"))

    with checks.step("starts a chat about an order"):
        order = next(order for order in checks.shop["orders"] if order["delivered_at"] is None)
        answer = await api.chat_start(ChatStartRequest(posting_number=order["number"]))
        same(answer.result.chat_id in checks.chats(), True)


run("ozon", "ozonapi-async", work)
