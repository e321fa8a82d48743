// Breaks the graphql-transport-ws protocol in every way there is a close code for, and checks that the server says it.
// Usage: node closecodes.mjs URL TOKEN [SUBSCRIPTION [SHORT_TOKEN]]
// SUBSCRIPTION must stay open without ending; without it the duplicate id is not tried. SHORT_TOKEN is good now and ends within
// 20 seconds; without it the end of a token is not tried. Exits 0 when every check holds.
import WebSocket from 'ws';

const [http, token, subscription, shortToken] = process.argv.slice(2);
if (!token) {
  console.error('usage: node closecodes.mjs URL TOKEN [SUBSCRIPTION [SHORT_TOKEN]]');
  process.exit(2);
}
const url = http.replace(/^http/, 'ws');
const PROTOCOL = 'graphql-transport-ws';
const init = { type: 'connection_init', payload: { authorization: `Bearer ${token}` } };
const subscribe = (query) => ({ type: 'subscribe', id: '1', payload: { query } });
const LONGEST = 30_000;

// The close code after these messages, or `http STATUS` where the upgrade is refused.
function ending({ messages = [], protocols = PROTOCOL, headers = {} }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols, { headers });
    const timer = setTimeout(() => {
      socket.terminate();
      resolve('still open');
    }, LONGEST);
    const end = (how) => {
      clearTimeout(timer);
      resolve(how);
    };
    socket.on('open', () => {
      for (const message of messages) {
        const raw = typeof message === 'string' || Buffer.isBuffer(message);
        socket.send(raw ? message : JSON.stringify(message));
      }
    });
    socket.on('unexpected-response', (_, response) => {
      end(`http ${response.statusCode}`);
      socket.terminate();
    });
    socket.on('close', (code) => end(code));
    socket.on('error', () => {});
  });
}

const checks = [
  ['no connection_init', {}, 4408],
  ['subscribe before the acknowledgement', { messages: [subscribe('{ __typename }')] }, 4401],
  ['two connection_init', { messages: [init, init] }, 4429],
  ['an unknown type', { messages: [init, { type: 'x'.repeat(500) }] }, 4400],
  ['not JSON', { messages: [init, 'nonsense'] }, 4400],
  ['not JSON before the acknowledgement', { messages: ['nonsense'] }, 4400],
  ['a wrong shape', { messages: [init, { type: 'subscribe', id: 7 }] }, 4400],
  ['a binary message', { messages: [init, Buffer.from([1, 2, 3])] }, 4400],
  ['a message over 64 KiB', { messages: [init, 'x'.repeat(65_537)] }, 1009],
  ['no token', { messages: [{ type: 'connection_init' }] }, 4403],
  ['a bad token', { messages: [{ type: 'connection_init', payload: { authorization: 'Bearer x' } }] }, 4403],
  ['no subprotocol', { protocols: [] }, 4406],
  ['another subprotocol', { protocols: 'graphql-ws' }, 4406],
  ['a bad token with the upgrade', { headers: { authorization: 'Bearer x' } }, 'http 401'],
  ['a page of another origin', { headers: { origin: 'https://elsewhere.example' } }, 'http 403'],
];
if (subscription) {
  checks.push(['a duplicate id', { messages: [init, subscribe(subscription), subscribe(subscription)] }, 4409]);
}

if (shortToken) {
  const short = { ...init, payload: { authorization: `Bearer ${shortToken}` } };
  checks.push(['the end of the token', { messages: [short, subscribe(subscription)] }, 4403]);
}

const results = await Promise.all(checks.map(async ([what, attempt, expected]) => [what, await ending(attempt), expected]));
let failed = 0;
for (const [what, got, expected] of results) {
  const ok = got === expected;
  failed += ok ? 0 : 1;
  console.log(JSON.stringify({ ok, what, expected, got }));
}
process.exit(failed === 0 ? 0 : 1);
