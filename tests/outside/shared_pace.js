// Fifty requests a second by express-rate-limit, which says nothing of it; and an API that tells of its quota once.
const express = require("express");
const { rateLimit } = require("express-rate-limit");

const app = express();
const stats = { accepted: 0, refused: 0, at: [] };
let told = 0;

app.get("/stats", (_, response) => response.json(stats));
app.get("/reset", (_, response) => {
  Object.assign(stats, { accepted: 0, refused: 0, at: [] });
  told = 0;
  response.json({});
});

function payments(request, response) {
  stats.accepted += 1;
  stats.at.push(Date.now());
  const from = Number(request.query.from);
  const page = Number(request.query.page ?? 1);
  const items = page > 3 ? [] : [{ id: `p${from}-${page}`, amount: 100 * page, created_at: from + page }];
  response.json({ items, total: 3 });
}

const refuse = (_, response) => {
  stats.refused += 1;
  response.status(429).json({ error: "too many requests" });
};
const limit = rateLimit({ windowMs: 1000, limit: 50, handler: refuse, legacyHeaders: false, standardHeaders: false });
app.get("/silent/payments", limit, payments);

// The tenth request alone is told that nothing is left for four seconds.
app.get("/told/payments", (request, response) => {
  told += 1;
  if (told === 10) {
    response.set({ "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4" });
  }
  payments(request, response);
});

app.listen(Number(process.argv[2]), "127.0.0.1");
