// The token is kept for this tab only. It goes out as a header, and over the socket in connection_init.
const KEPT = 'plaudit-token';
const token = document.getElementById('token');
token.value = sessionStorage.getItem(KEPT) ?? '';
token.addEventListener('input', () => sessionStorage.setItem(KEPT, token.value.trim()));

// The content policy allows no style in the markup; the object model is not markup.
Object.assign(document.body.style, { margin: 0, height: '100vh', display: 'flex', flexDirection: 'column' });
Object.assign(document.getElementById('bar').style, { padding: '8px 16px', font: '14px system-ui' });
Object.assign(token.style, { width: '60%', font: '14px monospace' });
const root = document.getElementById('graphiql');
Object.assign(root.style, { flex: 1, minHeight: 0 });

const socket = new URL('/graphql', location.href);
socket.protocol = socket.protocol === 'https:' ? 'wss:' : 'ws:';

const authorization = () => {
  const bearer = token.value.trim();
  return bearer ? { authorization: `Bearer ${bearer}` } : {};
};
const wsClient = graphqlWs.createClient({ url: socket.href, connectionParams: authorization });

// A fetcher for each operation, so that a token typed later is used from then on.
const fetcher = (parameters, options) =>
  GraphiQL.createFetcher({ url: '/graphql', headers: authorization(), wsClient })(parameters, options);

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery: '{\n  __typename\n}\n', shouldPersistHeaders: false }),
);
