// Subscribes with the stock graphql-ws client and prints each result as one line of JSON.
// Usage: node subscribe.mjs URL TOKEN QUERY COUNT [VARIABLES]
// Exits 0 after COUNT results; 1 when the operation fails or ends before, with what the server said on standard error.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, query, count, variables = '{}'] = process.argv.slice(2);
if (!count) {
  console.error('usage: node subscribe.mjs URL TOKEN QUERY COUNT [VARIABLES]');
  process.exit(2);
}

const client = createClient({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts: 0,
});

const fail = (reason) => {
  // A close event has a code and a reason, a refused operation is a list of errors.
  const said = reason?.code ? { code: reason.code, reason: reason.reason } : reason;
  console.error(JSON.stringify(said) ?? String(reason));
  process.exit(1);
};

let seen = 0;
try {
  for await (const result of client.iterate({ query, variables: JSON.parse(variables) })) {
    console.log(JSON.stringify(result));
    seen += 1;
    if (seen >= Number(count)) break;
  }
} catch (error) {
  fail(error);
}
await client.dispose();
if (seen < Number(count)) fail(`only ${seen} of ${count} results`);
