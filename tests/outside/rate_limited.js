// Ten requests a second by express-rate-limit, in each of its header dialects: payments by the hour, three pages each.
const express = require("express");
const { rateLimit } = require("express-rate-limit");

const app = express();
const stats = {};

app.get("/stats", (_, response) => response.json(stats));

function payments(dialect, request, response) {
  const now = Date.now();
  const of = stats[dialect];
  of.accepted += 1;
  of.first ??= now;
  of.last = now;
  const from = Number(request.query.from);
  const page = Number(request.query.page ?? 1);
  const items = page > 3 ? [] : [{ id: `p${from}-${page}`, amount: 100 * page, created_at: from + page }];
  response.json({ items, total: 3 });
}

const dialects = {
  legacy: { legacyHeaders: true, standardHeaders: false },
  "draft-6": { legacyHeaders: false, standardHeaders: "draft-6" },
  "draft-7": { legacyHeaders: false, standardHeaders: "draft-7" },
  "draft-8": { legacyHeaders: false, standardHeaders: "draft-8" },
};
for (const [dialect, headers] of Object.entries(dialects)) {
  stats[dialect] = { accepted: 0, refused: 0 };
  const refuse = (_, response) => {
    stats[dialect].refused += 1;
    response.status(429).json({ error: "too many requests" });
  };
  const limit = rateLimit({ windowMs: 1000, limit: 10, handler: refuse, ...headers });
  app.get(`/${dialect}/payments`, limit, (request, response) => payments(dialect, request, response));
}

app.listen(Number(process.argv[2]), "127.0.0.1");
