// Verify or sign the message on standard input with mailauth, keys from a file instead of the DNS.
//   node dkim.cjs verify ZONE                                      prints {selector: result}
//   node dkim.cjs sign DOMAIN SELECTOR KEYFILE ALGORITHM FORMS     prints the DKIM-Signature field
const { readFileSync } = require("node:fs");
const { dkimSign } = require("mailauth/lib/dkim/sign");
const { dkimVerify } = require("mailauth/lib/dkim/verify");

const [task, ...options] = process.argv.slice(2);

async function verify(message, zone) {
  const lines = readFileSync(zone, "utf8").trimEnd().split("\n");
  const texts = new Map(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
  const resolver = async (name) => [[texts.get(name)]];
  const { results } = await dkimVerify(message, { resolver });
  return JSON.stringify(Object.fromEntries(results.map((result) => [result.selector, result.status.result])));
}

async function sign(message, signingDomain, selector, keyFile, algorithm, canonicalization) {
  const { signatures, errors } = await dkimSign(message, {
    algorithm,
    canonicalization,
    signTime: new Date(),
    signatureData: [{ signingDomain, selector, privateKey: readFileSync(keyFile, "utf8") }],
  });
  if (errors.length) throw errors[0].err;
  return signatures;
}

async function main() {
  const message = readFileSync(0);
  process.stdout.write(await (task === "verify" ? verify : sign)(message, ...options));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
