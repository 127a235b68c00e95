// Events signed by the vendors' own libraries, posted to a receiver; prints a JSON line for each: name, status.
//
//     node webhook.js PORT
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

const port = Number(process.argv[2]);
const modules = process.env.NODE_PATH;

// NODE_PATH does not lead to ES modules.
function load(name) {
  const folder = path.join(modules, name);
  const about = JSON.parse(fs.readFileSync(path.join(folder, "package.json")));
  const leaf = (at) => (typeof at === "string" || !at ? at : leaf(at.import ?? at.node ?? at.default ?? at.require));
  const entry = leaf(about.exports?.["."] ?? about.exports) ?? about.module ?? about.main;
  return import(pathToFileURL(path.join(folder, entry)));
}

async function post(name, where, headers, body) {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/${where}`, { method: "POST", headers, body });
  console.log(JSON.stringify({ name, status: response.status, text: await response.text() }));
}

async function stripe() {
  const { default: Stripe } = await load("stripe");
  const { webhooks } = new Stripe("sk_test_nothing");
  const payload = JSON.stringify({ id: "evt_1", type: "charge.succeeded", data: { object: { id: "ch_1", amount: 100, created_at: 1773705600, note: "schön" } } }, null, 2);
  const secret = process.env.STRIPE_SECRET;
  const sign = (more) => ({ "stripe-signature": webhooks.generateTestHeaderString({ payload, secret, ...more }) });
  const ago = (seconds) => Math.floor(Date.now() / 1000) - seconds;
  await post("stripe", "stripe", sign(), payload);
  await post("stripe again", "stripe", sign(), payload);
  await post("stripe altered", "stripe", sign(), payload.replace("100", "900"));
  await post("stripe by another secret", "stripe", sign({ secret: "whsec_other" }), payload);
  await post("stripe of ten minutes ago", "stripe", sign({ timestamp: ago(600) }), payload);
  await post("stripe of ten minutes ahead", "stripe", sign({ timestamp: ago(-600) }), payload);
  const rotated = `${webhooks.generateTestHeaderString({ payload, secret: "whsec_other" })},${sign()["stripe-signature"].split(",")[1]}`;
  await post("stripe with two signatures", "stripe", { "stripe-signature": rotated }, payload);
}

async function github() {
  const { sign } = await load("@octokit/webhooks-methods");
  const { default: examples } = await import(pathToFileURL(path.join(modules, "@octokit/webhooks-examples/api.github.com/index.json")), { with: { type: "json" } });
  let sent = 0;
  for (const { name, examples: payloads } of examples) {
    for (const payload of payloads) {
      const body = JSON.stringify(payload);
      const headers = {
        "content-type": "application/json",
        "x-github-event": name,
        "x-github-delivery": `delivery-${sent++}`,
        "x-hub-signature-256": await sign(process.env.GITHUB_SECRET, body),
      };
      await post("github", "github", headers, body);
      if (sent === 1) await post("github altered", "github", { ...headers, "x-github-delivery": "altered" }, body + " ");
    }
  }
}

async function standard() {
  const { Webhook } = (await load("standardwebhooks")).default;
  const body = JSON.stringify({ type: "user.created", data: { id: "u_1", created_at: 1773705600 } });
  const webhook = new Webhook(process.env.STANDARD_SECRET);
  for (const prefix of ["webhook", "svix"]) {
    const now = new Date();
    const headers = {
      [`${prefix}-id`]: `msg_${prefix}`,
      [`${prefix}-timestamp`]: String(Math.floor(now / 1000)),
      [`${prefix}-signature`]: webhook.sign(`msg_${prefix}`, now, body),
    };
    await post(`standard ${prefix}`, "standard", headers, body);
    await post(`standard ${prefix} altered`, "standard", headers, body.replace("u_1", "u_2"));
    await post(`standard ${prefix} by another id`, "standard", { ...headers, [`${prefix}-id`]: "msg_other" }, body);
  }
}

stripe().then(github).then(standard);
