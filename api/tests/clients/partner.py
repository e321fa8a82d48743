"""A partner: reads what is there by polling, then follows its feed, wherever it is cut off. Usage: python partner.py URL TOKEN"""
import asyncio, json, sys
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

url, headers = sys.argv[1], {"authorization": f"Bearer {sys.argv[2]}"}
ENTRY = "id position cursor kind achievement { id memberRef title }"
POLL = "query ($after: String) { feed(after: $after) { hasMore entries { %s } } }" % ENTRY
FOLLOW = "subscription ($after: String) { feed(after: $after) { ... on FeedEntry { %s } } }" % ENTRY
after = None  # Keep it with the entries, in the same transaction: where to go on.

def take(entry):
    global after
    print(json.dumps(entry), flush=True)  # Your work; an id that you have already is a repetition.
    after = entry["cursor"]

def request(document):
    return GraphQLRequest(document, variable_values={"after": after})

def socket():
    address = url.replace("http", "ws", 1)
    return WebsocketsTransport(address, init_payload=headers, subprotocols=["graphql-transport-ws"])

async def main():
    async with Client(transport=HTTPXAsyncTransport(url, headers=headers)) as session:
        has_more = True
        while has_more:
            feed = (await session.execute(request(POLL)))["feed"]
            for entry in feed["entries"]:
                take(entry)
            has_more = feed["hasMore"]
    while True:
        try:
            async with Client(transport=socket()) as session:
                async for message in session.subscribe(request(FOLLOW)):
                    if message["feed"]:
                        take(message["feed"])
        except (TransportError, OSError):
            await asyncio.sleep(1)  # And again from where it was.

asyncio.run(main())
