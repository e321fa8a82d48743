// Runs the GraphQL-over-HTTP audits of the npm package graphql-http.
// Usage: node audit.mjs URL; exits 0 only when every one of the 61 is ok.
import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);
if (!url) {
  console.error('usage: node audit.mjs URL');
  process.exit(2);
}

const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const result = await audit.fn();
  counts[result.status] += 1;
  if (result.status !== 'ok') {
    console.error(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(JSON.stringify(counts));
process.exit(counts.ok === 61 && counts.notice + counts.warn + counts.error === 0 ? 0 : 1);
