// Ask Parlance and follow the answer. Node 22 or newer, or any browser; nothing to install.
// node follow.mjs http://localhost:8000 pk_… <conversation> "What changed?"      over server-sent events
// node follow.mjs http://localhost:8000 pk_… <conversation>                      over the socket, until Ctrl-C
const [base, key, conversation, ...words] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
const call = (path, body) => fetch(`${base}/api/v1/${path}`, { headers, ...(body && { method: "POST", body: JSON.stringify(body) }) });

async function ask(content) {
  const body = { client_id: crypto.randomUUID(), content }; // sent again after a lost answer, it makes one message
  const { turn } = await (await call(`conversations/${conversation}/messages/`, body)).json(); // none where it names only people
  let [seq, event, rest] = [0, "", ""];
  while (turn && !["completed", "stopped", "failed", "interrupted"].includes(event)) {
    const answer = await call(`turns/${turn.id}/events/?after=${seq}`); // ends early: ask again for what is missing
    for await (const bytes of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + bytes).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("event: ")) event = line.slice(7);
        if (line.startsWith("data: ") && event === "delta") process.stdout.write(JSON.parse(line.slice(6)).text ?? "");
        if (line.startsWith("id: ")) seq = Number(line.slice(4));
      }
    }
  }
}

function follow() {
  const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws/`, [`bearer.${key}`]); // browsers cannot send a header
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", topic: `conversation:${conversation}`, after: null }));
  socket.onmessage = ({ data }) => console.log(JSON.parse(data));
}

await (words.length ? ask(words.join(" ")) : follow());
