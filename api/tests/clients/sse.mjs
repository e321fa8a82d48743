// Subscribes with the stock graphql-sse client and prints each result as one line of JSON.
// Usage: node sse.mjs URL TOKEN QUERY COUNT
// Exits 0 after COUNT results; 1 when the operation fails or ends before.
import { createClient } from 'graphql-sse';

const [url, token, query, count] = process.argv.slice(2);
if (!count) {
  console.error('usage: node sse.mjs URL TOKEN QUERY COUNT');
  process.exit(2);
}

const client = createClient({ url, headers: { authorization: `Bearer ${token}` }, retryAttempts: 0 });

let seen = 0;
for await (const result of client.iterate({ query })) {
  console.log(JSON.stringify(result));
  seen += 1;
  if (seen >= Number(count)) break;
}
client.dispose();
if (seen < Number(count)) {
  console.error(`only ${seen} of ${count} results`);
  process.exit(1);
}
