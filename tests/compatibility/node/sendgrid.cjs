// The official Node.js libraries, as their own examples use them. Arguments: URL, key. Prints what happened as JSON.
const mail = require("@sendgrid/mail");
const client = require("@sendgrid/client");

const [url, key] = process.argv.slice(2);

function point(library, usedKey) {
  library.setApiKey(usedKey);
  library.setDefaultRequest("baseUrl", `${url}/`);
  return library;
}

async function refusal(act) {
  try {
    await act();
    return null;
  } catch (error) {
    return [error.code, error.response.body.errors[0].field, error.response.body.errors[0].message];
  }
}

async function manageKeys() {
  const told = {};
  const ask = async (method, path, body) => (await client.request({ method, url: path, body }))[0];
  const made = (await ask("POST", "/v3/api_keys", { name: "by node", scopes: ["mail.send"] })).body;
  const one = `/v3/api_keys/${made.api_key_id}`;
  told.listed = (await ask("GET", "/v3/api_keys")).body.result.some((each) => each.api_key_id === made.api_key_id);
  told.shown = (await ask("GET", one)).body.scopes;
  told.renamed = (await ask("PATCH", one, { name: "renamed" })).body.name;
  told.changed = (await ask("PUT", one, { name: "n", scopes: ["api_keys.read"] })).body.scopes;
  told.deleted = (await ask("DELETE", one)).statusCode;
  told.after = (await refusal(() => ask("GET", one)))[0];
  return told;
}

async function stopABatch(message, at) {
  const told = {};
  const ask = async (method, path, body) => (await client.request({ method, url: path, body }))[0];
  const made = await ask("POST", "/v3/mail/batch");
  const batchId = made.body.batch_id;
  told.made = made.statusCode;
  told.sent = (await mail.send({ ...message, subject: "node cancelled", sendAt: at, batchId }))[0].statusCode;
  told.cancelled = (await ask("POST", "/v3/user/scheduled_sends", { batch_id: batchId, status: "cancel" })).statusCode;
  told.listed = (await ask("GET", `/v3/user/scheduled_sends/${batchId}`)).body[0].status;
  return told;
}

async function main() {
  const told = {};
  point(client, key);
  mail.setClient(client);

  const [answer] = await mail.send({
    from: { email: "ann@example.test", name: "Ann Exämple" },
    to: "bob@dest.test",
    subject: "node simple",
    text: "Hello, Bob.\n.a dot",
    html: "<p>Grüße</p>",
  });
  told.simple = [answer.statusCode, answer.headers["x-message-id"]];

  const rich = {
    from: "Ann <ann@example.test>",
    replyTo: "replies@example.test",
    to: [{ email: "bob@dest.test", name: "Bob" }, "carl@dest.test"],
    cc: "cc@dest.test",
    bcc: "bcc@dest.test",
    subject: "node rich",
    text: "Dear all",
    html: '<p>Dear all<img src="cid:logo">',
    headers: { "X-Test": "from node" },
    categories: ["tests"],
    customArgs: { name: "value" },
    attachments: [
      { content: Buffer.from([...Array(256).keys()]).toString("base64"), filename: "Größe.bin", type: "application/pdf" },
      { content: "aGk=", filename: "logo.png", type: "image/png", disposition: "inline", content_id: "logo" },
    ],
  };
  told.rich = (await mail.send(rich))[0].statusCode;
  told.sandbox = (await mail.send({ ...rich, mailSettings: { sandboxMode: { enable: true } } }))[0].statusCode;
  const several = ["bob", "carl"].map((name) => ({
    from: "ann@example.test", to: `${name}@dest.test`, subject: `node multiple ${name}`, text: "x",
  }));
  told.multiple = (await mail.send(several)).map(([each]) => each.statusCode);
  told.spoof = await refusal(() => mail.send({ from: "ceo@bank.example", to: "bob@dest.test", subject: "x", text: "x" }));
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  told.tooLate = await refusal(() => mail.send({ ...rich, sendAt: inAnHour + 72 * 3600 }));
  told.batch = await stopABatch(rich, inAnHour);
  const once = { from: "ann@example.test", to: "bob@dest.test", subject: "node once", text: "x" };
  const named = { ...once, headers: {} };
  client.setDefaultHeader("Idempotency-Key", "node-once");
  const [first] = await mail.send(named);
  const [again] = await mail.send(named);
  client.setDefaultHeader("Idempotency-Key", undefined);
  delete client.defaultHeaders["Idempotency-Key"];
  told.again = [first.statusCode, again.statusCode, first.headers["x-message-id"] === again.headers["x-message-id"]];
  told.keys = await manageKeys();
  console.log(JSON.stringify(told));
}

main().catch((error) => {
  console.error(error, error.response && JSON.stringify(error.response.body));
  process.exit(1);
});
