"""Verifies a webhook as its receiver does. Reads {"secret", "headers", "body"} from standard input; exits 0 when the signature is good."""
import json, sys
from standardwebhooks import Webhook

given = json.load(sys.stdin)
print(json.dumps(Webhook(given["secret"]).verify(given["body"], given["headers"])))
