// What this page knows of one conversation, as a pure function of the frames it has read: no clock, no network, no page.
// Snapshot + events + deltas end in the same state whatever was missed, repeated or asked for again in between.

export const APPLIED = "applied";
export const OLD = "old"; // seen before: nothing changed
export const GAP = "gap"; // something in between is missing: ask again from what the state says

const FINAL = new Set(["completed", "stopped", "failed", "interrupted"]);
const TEXT = new Set(["text", "reasoning"]);

export const isFinal = (state) => FINAL.has(state);

export function createState() {
  return { position: null, conversation: null, path: [], isPathStale: false, messages: new Map(), turns: new Map() };
}

/** Take the whole state of a topic. Deltas of turns that still run are kept: a snapshot may be older than they are. */
export function applySnapshot(state, frame) {
  if (state.position !== null && frame.topic_position < state.position) return OLD;
  const { conversation = null, messages = [] } = frame.data ?? {};
  state.position = frame.topic_position;
  state.conversation = conversation;
  state.messages = new Map(messages.map((message) => [message.id, message]));
  state.path = messages.map((message) => message.id);
  state.isPathStale = false;
  const earlier = state.turns;
  state.turns = new Map();
  for (const { turn } of messages) if (turn) mergeTurn(state, turn, earlier.get(turn.id));
  return APPLIED;
}

/** One row of the topic's log. `data` holds what this viewer may see now of `message`, `answer`, `turn` and `conversation`. */
export function applyEvent(state, frame) {
  if (state.position !== null && frame.topic_position <= state.position) return OLD;
  if (state.position !== null && frame.topic_position > state.position + 1) return GAP;
  state.position = frame.topic_position;
  const { conversation, message, answer, turn } = frame.data ?? {};
  if (conversation) state.conversation = { ...state.conversation, ...conversation };
  for (const each of [message, answer]) if (each) mergeMessage(state, each);
  for (const each of [message?.turn, answer?.turn, turn]) if (each) mergeTurn(state, each, state.turns.get(each.id));
  return APPLIED;
}

/** One entry of a turn's stream: text to append, data to put in place, or (`reset`) all parts from the beginning. */
export function applyDelta(state, frame) {
  const turn = turnOf(state, frame.turn);
  if (isFinal(turn.state) || frame.seq <= turn.seq) return OLD;
  if (!frame.reset && frame.seq !== turn.seq + 1) return GAP;
  turn.seq = frame.seq;
  if (frame.reset) turn.parts = new Map(frame.parts.map((part, index) => [index, { ...part }]));
  else applyEntry(turn, frame);
  if (turn.state === null || turn.state === "queued") turn.state = "running";
  return APPLIED;
}

/** Where a turn stands. A final state stays: a status that comes late says nothing new; what begins a turn anew is an event. */
export function applyStatus(state, frame) {
  const turn = turnOf(state, frame.turn);
  if (isFinal(turn.state)) return OLD;
  turn.state = frame.state;
  turn.message = frame.message ?? turn.message;
  turn.place = frame.place ?? null;
  turn.reason = frame.reason ?? null;
  return APPLIED;
}

/** The parts of a message as they should be seen now: the row's, with what its running turn has said since laid over. */
export function partsOf(state, messageId) {
  const stored = state.messages.get(messageId)?.parts ?? [];
  const turn = runningTurnOf(state, messageId);
  if (!turn?.parts.size) return stored;
  const parts = new Map([...stored.entries(), ...turn.parts]);
  return [...parts.keys()].sort((one, other) => one - other).map((index) => parts.get(index));
}

/** What the running turn of a message has said, by part index: the part of `partsOf` that changes from word to word. */
export function spokenParts(state, messageId) {
  return runningTurnOf(state, messageId)?.parts ?? new Map();
}

export function textOf(state, messageId) {
  return partsOf(state, messageId).filter((part) => part.type === "text").map((part) => part.text ?? "").join("");
}

export function runningTurnOf(state, messageId) {
  let found = null;
  for (const turn of state.turns.values()) if (turn.message === messageId && !isFinal(turn.state)) found = turn;
  return found;
}

export function runningTurns(state) {
  return [...state.turns.values()].filter((turn) => turn.state !== null && !isFinal(turn.state));
}

/** Last `seq` of each turn that may still speak: what a subscription sends to be told only what it lacks. */
export function positionsOf(state) {
  return Object.fromEntries([...state.turns.values()].filter((turn) => !isFinal(turn.state)).map((turn) => [turn.id, turn.seq]));
}

/** All that a reader sees, in one comparable value. Two states with equal views show the same conversation. */
export function viewOf(state) {
  return {
    title: state.conversation?.title ?? null,
    messages: state.path.map((id) => ({ ...state.messages.get(id), parts: partsOf(state, id), content: textOf(state, id) })),
  };
}

function turnOf(state, id) {
  if (!state.turns.has(id)) state.turns.set(id, { id, message: null, state: null, seq: 0, parts: new Map(), place: null, reason: null });
  return state.turns.get(id);
}

function mergeTurn(state, { id, status, message, place = null, reason = null }, earlier) {
  const turn = earlier ?? turnOf(state, id);
  state.turns.set(id, turn);
  if (isFinal(turn.state)) {
    turn.isOver ||= isFinal(status);
    // Rows come in order: one that has ended and is queued now was begun anew. A status may overtake the row before its end.
    if (isFinal(status) || !turn.isOver) return;
    Object.assign(turn, { seq: 0, parts: new Map(), isOver: false });
  }
  Object.assign(turn, { state: status, message, place, reason });
  if (isFinal(turn.state)) Object.assign(turn, { parts: new Map(), isOver: true }); // from here on the row has everything
}

function mergeMessage(state, message) {
  state.messages.set(message.id, { ...state.messages.get(message.id), ...message });
  if (state.path.includes(message.id)) return;
  if ((message.parent ?? null) === (state.path.at(-1) ?? null)) state.path.push(message.id);
  else state.isPathStale = true; // a new branch: only the server knows which one this member follows
}

function applyEntry(turn, { part: index, part_type: type = "text", text, data }) {
  const part = turn.parts.get(index) ?? (TEXT.has(type) ? { type, text: "" } : { type });
  if (data !== undefined) Object.assign(part, data);
  else part.text = (part.text ?? "") + text;
  turn.parts.set(index, part);
}
