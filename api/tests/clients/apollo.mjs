// Subscribes with the stock Apollo client over its multipart protocol and prints each result as one line of JSON.
// Usage: node apollo.mjs URL TOKEN QUERY COUNT
// Exits 0 after COUNT results; 1 when the operation fails or ends before.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';

const [url, token, query, count] = process.argv.slice(2);
if (!count) {
  console.error('usage: node apollo.mjs URL TOKEN QUERY COUNT');
  process.exit(2);
}

const client = new ApolloClient({
  link: new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } }),
  cache: new InMemoryCache(),
});

const fail = (reason) => {
  console.error(reason);
  process.exit(1);
};

let seen = 0;
client.subscribe({ query: gql(query), fetchPolicy: 'no-cache' }).subscribe({
  next: ({ data, error }) => {
    if (error) fail(error);
    console.log(JSON.stringify({ data }));
    seen += 1;
    if (seen >= Number(count)) process.exit(0);
  },
  error: fail,
  complete: () => fail(`only ${seen} of ${count} results`),
});
