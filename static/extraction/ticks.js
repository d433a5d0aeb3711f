// The tick on the card of a wish. Its message is drawn anew whenever something comes below it, and the card with it: what was ticked
// last counts, whichever card stands there when it arrives.

import { request } from "core/http";

const known = new Map(); // address of a wish → its ticks

class Ticks {
  #url;
  #last; // what somebody ticked
  #taken; // what the server has, as far as it is known here
  #underWay = 0;
  #version = 0; // which the server gave the wish with the last one that arrived
  #told = Promise.resolve();
  count = 0;
  kept = null; // a promise: was the last one taken?

  constructor(url) {
    this.#url = url;
  }

  get isUnderWay() {
    return this.#underWay > 0;
  }

  /** One after the other. */
  send(review) {
    this.count += 1;
    this.#last = review;
    this.#taken ??= !review;
    this.#underWay += 1;
    const told = this.#told
      .then(() => request(this.#url, { method: "PATCH", body: { review } }))
      .then((wish) => {
        this.#version = wish?.version ?? this.#version;
        this.#taken = wish?.review ?? review;
      })
      .finally(() => { this.#underWay -= 1; });
    this.#told = told.catch(() => {});
    return told;
  }

  /** What a card is to show that was drawn for this version, ticked or not: a newer one knows better than what is kept here. */
  of(version, isTicked) {
    if (!this.isUnderWay && version >= this.#version) this.#taken = isTicked;
    return this.stands;
  }

  /** Ticked or not: what is on its way counts, else what the server has. */
  get stands() {
    return this.isUnderWay ? this.#last : this.#taken;
  }
}

export function ticksOf(url) {
  if (!known.has(url)) known.set(url, new Ticks(url));
  return known.get(url);
}
