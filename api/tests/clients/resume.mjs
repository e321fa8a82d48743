// Follows a feed with the stock graphql-ws client across lost connections, and prints each message as one line of JSON.
// Usage: node resume.mjs FILE TOKEN COUNT
// FILE holds the address of the endpoint and is read for each connection. A line on standard input cuts the connection.
// Each connection that was acknowledged is a line {"connected":true}, each cut a line {"cut":true}.
// Exits 0 after COUNT entries, 1 when the subscription ends before.
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [file, token, count] = process.argv.slice(2);
if (!count) {
  console.error('usage: node resume.mjs FILE TOKEN COUNT');
  process.exit(2);
}

const client = createClient({
  url: async () => (await readFile(file, 'utf8')).trim().replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  shouldRetry: () => true,
  retryAttempts: 500,
  retryWait: () => wait(50),
  on: { connected: () => console.log('{"connected":true}') },
});
process.stdin.on('data', () => {
  client.terminate();
  console.log('{"cut":true}');
});

// The client sends this object at each connection: with the cursor kept up to date in it, it goes on where it was.
const payload = {
  query: `subscription ($after: String) {
    feed(after: $after) {
      __typename
      ... on FeedEntry { id position cursor }
      ... on FeedCaughtUp { position cursor }
    }
  }`,
  variables: { after: null },
};

let seen = 0;
client.subscribe(payload, {
  next: (result) => {
    console.log(JSON.stringify(result));
    if (!result.data) return;
    payload.variables.after = result.data.feed.cursor;
    seen += result.data.feed.__typename === 'FeedEntry' ? 1 : 0;
    if (seen >= Number(count)) process.exit(0);
  },
  error: (error) => {
    console.error(error);
    process.exit(1);
  },
  complete: () => process.exit(1),
});
