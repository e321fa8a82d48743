// Verifies a webhook as its receiver does. Reads {"secret", "headers", "body"} from standard input; exits 0 when the signature is good.
import { Webhook } from 'standardwebhooks';

let given = '';
for await (const chunk of process.stdin) given += chunk;
const { secret, headers, body } = JSON.parse(given);
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
