"use strict";

// The cases in Node.js: see cases.c.

const fs = require("node:fs");
const shops = require("engage-point-shop");

const functions = {
  code_action: async (number) => shops.actionOf(Number(number)),
  code_meaning: async (number) => shops.meaningOf(Number(number)),
  json_get: async (json, pointer) => shops.jsonGet(json, pointer),
  json_quote: async (text) => JSON.parse(shops.jsonQuote(text)),
};

/** Makes the call of a case or of a step before it. */
async function make(shop, step) {
  if (functions[step.call]) return functions[step.call](...step.arguments);
  const method = step.call.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const result = await shop[method](...step.arguments, step.options);
  return ["list_unacknowledged", "acknowledge_reference"].includes(step.call) ? { operations: result } : result;
}

async function main() {
  const cases = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  for (const [number, step] of cases.entries()) {
    const shop = await shops.Client.open({
      baseUrl: process.argv[3],
      apiKey: `case-${number}`,
      userAgent: "Cases/1",
      journal: "memory",
    });
    // Only its effect counts. The expected result shows it.
    for (const before of step.before ?? []) await make(shop, before).catch(() => {});
    let [code, outcome, result] = [shops.Code.OK, "completed", null];
    try {
      result = await make(shop, step);
    } catch (error) {
      if (!(error instanceof shops.PointShopError)) throw error;
      const { Declined, Pending } = shops;
      outcome = error instanceof Declined ? "declined" : error instanceof Pending ? "pending" : "notSent";
      [code, result] = [error.code, error.problem];
    }
    await shop.close();
    const name = Object.keys(shops.Code).find((each) => shops.Code[each] === code);
    console.log([number, `EPS_${name}`, outcome, JSON.stringify(result)].join("\t"));
  }
}

main();
