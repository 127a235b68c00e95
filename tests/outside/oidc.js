// oidc-provider, a certified OpenID provider, and an API that takes its tokens: payments by page, a tenth of a second each.
//
//     GET /mint                      a refresh token, as a user's consent would give it
//     GET /stats                     what was granted and refused
//     GET /api/payments?page=N       any token that lives
//     GET /dying/payments?page=N     the same, but a token is revoked at its fifth use
const path = require("path");
const express = require("express");

const PAGES = 40;
const port = Number(process.argv[2]);
const stats = { granted: 0, refused: 0, revoked: 0 };

const base = { client_secret: "s3cret/+ of the client", redirect_uris: ["https://client.example/back"] };
const clients = [
  { ...base, client_id: "in-form", token_endpoint_auth_method: "client_secret_post" },
  { ...base, client_id: "in-header", token_endpoint_auth_method: "client_secret_basic" },
].map((client) => ({ ...client, grant_types: ["client_credentials", "authorization_code", "refresh_token"] }));

async function main() {
  // It is an ES module, which NODE_PATH does not lead to.
  const module = path.join(process.env.NODE_PATH, "oidc-provider/lib/index.js");
  const { default: Provider } = await import(module);
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", "payments"],
    ttl: { AccessToken: 2, ClientCredentials: 2, Grant: 3600, RefreshToken: 3600 },
  });
  provider.on("grant.success", () => (stats.granted += 1));
  provider.on("grant.error", () => (stats.refused += 1));
  provider.on("grant.revoked", () => (stats.revoked += 1));

  const app = express();
  app.get("/stats", (_, response) => response.json(stats));
  app.get("/mint", async (request, response) => {
    const client = await provider.Client.find(request.query.client);
    const grant = new provider.Grant({ accountId: "me", clientId: client.clientId });
    grant.addOIDCScope("openid offline_access");
    const grantId = await grant.save();
    const token = new provider.RefreshToken({
      accountId: "me", client, grantId, gty: "authorization_code", scope: "openid offline_access",
    });
    response.send(await token.save());
  });

  const uses = new Map();
  app.get("/:kind/payments", async (request, response) => {
    const text = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    const token = (await provider.AccessToken.find(text)) ?? (await provider.ClientCredentials.find(text));
    if (!token) {
      response.set("WWW-Authenticate", 'Bearer error="invalid_token"');
      return response.status(401).json({ error: "invalid_token", token: text });
    }
    uses.set(text, (uses.get(text) ?? 0) + 1);
    if (request.params.kind === "dying" && uses.get(text) === 5) await token.destroy();
    const page = Number(request.query.page ?? 1);
    const items = page > PAGES ? [] : [{ id: `p${page}`, amount: 100 * page, created_at: 1773619200 + page }];
    setTimeout(() => response.json({ items, total: PAGES }), 100);
  });
  app.use(provider.callback());
  app.listen(port, "127.0.0.1");
}

main();
