// nodemailer over SMTP with an API key, as its documentation sets it up. Arguments: port, key. Prints what happened.
const nodemailer = require("nodemailer");

const [port, key] = process.argv.slice(2);

async function main() {
  const transport = nodemailer.createTransport({
    host: "localhost", port: Number(port), secure: false, requireTLS: true, auth: { user: "apikey", pass: key },
  });
  const simple = await transport.sendMail({
    from: "Ann Exämple <ann@example.test>",
    to: "bob@dest.test",
    subject: "nodemailer simple",
    text: "Hello, Bob.\n.a dot",
    html: "<p>Grüße</p>",
    attachments: [{ filename: "Größe.bin", content: Buffer.from([...Array(256).keys()]) }],
  });
  let spoof = null;
  try {
    await transport.sendMail({ from: "ceo@bank.example", to: "bob@dest.test", subject: "spoof", text: "x" });
  } catch (error) {
    spoof = error.responseCode;
  }
  console.log(JSON.stringify({ accepted: simple.accepted, reply: simple.response, spoof }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
