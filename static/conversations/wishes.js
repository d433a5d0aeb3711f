// What makes an answer whenever it arrives: each wish has a name of its own, so that the second try after a lost answer is the same
// wish and makes no second answer that costs.

import { newClientId } from "conversations/outbox";
import { post } from "core/http";

const unanswered = new Map(); // what was asked for → the key under which it was

/** As `post`. The same request about the same answer (`mark`) has the same key until it is answered. */
export async function wish(url, mark, body = {}) {
  const name = `${url} ${mark} ${JSON.stringify(body)}`;
  if (!unanswered.has(name)) unanswered.set(name, newClientId());
  const answer = await post(url, body, { headers: { "idempotency-key": unanswered.get(name) } });
  unanswered.delete(name);
  return answer;
}
