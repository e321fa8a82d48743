// A partner: reads what is there by polling, then follows its feed, wherever it is cut off. Usage: node partner.mjs URL TOKEN
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const authorization = `Bearer ${token}`;
const entry = 'id position cursor kind achievement { id memberRef title }';
let after = null; // Keep it with the entries, in the same transaction: where to go on.

function take(entry) {
  console.log(JSON.stringify(entry)); // Your work; an id that you have already is a repetition.
  after = entry.cursor;
}

for (let hasMore = true; hasMore; ) {
  const query = `query ($after: String) { feed(after: $after) { hasMore entries { ${entry} } } }`;
  const body = JSON.stringify({ query, variables: { after } });
  const answer = await fetch(url, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body });
  const { feed } = (await answer.json()).data;
  feed.entries.forEach(take);
  hasMore = feed.hasMore;
}

const query = `subscription ($after: String) { feed(after: $after) { ... on FeedEntry { ${entry} } } }`;
const variables = { get after() { return after; } }; // Read again at each connection.
createClient({
  url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, connectionParams: { authorization },
  retryAttempts: Infinity, shouldRetry: () => true,
}).subscribe({ query, variables }, { next: ({ data }) => data?.feed?.cursor && take(data.feed), error: console.error, complete() {} });
