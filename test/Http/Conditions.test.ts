import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readConditions, writeConditions } from "../../src/Http/Conditions.ts"

const versionsOf = (...args: Parameters<typeof writeConditions>) =>
  Result.match(writeConditions(...args), { onFailure: ({ kind }) => kind, onSuccess: ({ versions }) => versions })

describe("the conditions of a write (RFC 9110 §13.1)", () => {
  const cases: ReadonlyArray<readonly [...Parameters<typeof writeConditions>, object | string]> = [
    ["PUT", {}, {}],
    ["POST", {}, {}],
    ["PUT", { "if-match": "*" }, { ifMatch: "*" }],
    ["PATCH", { "if-match": `"3", W/"4", "5.node.2", "x"` }, { ifMatch: [3, 5] }],
    ["DELETE", { "if-match": `W/"3"` }, { ifMatch: [] }],
    ["PUT", { "if-none-match": "*" }, { ifNoneMatch: true }],
    ["PUT", { "if-match": `"1"`, "if-none-match": "*" }, { ifMatch: [1], ifNoneMatch: true }],
    ["PUT", { "if-none-match": `"1"` }, "invalid-request"],
    ["PATCH", { "if-none-match": "*" }, "invalid-request"],
    ["DELETE", { "if-none-match": `"1"` }, "invalid-request"],
    ["POST", { "if-match": `"1"` }, "invalid-request"],
    ["POST", { "if-none-match": "*" }, "invalid-request"],
    ["PUT", { "if-match": "1" }, "invalid-request"],
    ["PUT", { "if-match": "" }, "invalid-request"]
  ]
  for (const [method, headers, expected] of cases) {
    it(`${method} with ${JSON.stringify(headers)}`, () => assert.deepStrictEqual(versionsOf(method, headers), expected))
  }
})

describe("the conditions of a read (RFC 9110 §13.2.2)", () => {
  const cases: ReadonlyArray<readonly [Record<string, string>, number | undefined, string]> = [
    [{}, 3, "send"],
    [{}, undefined, "send"],
    [{ "if-none-match": `"3"` }, 3, "known"],
    [{ "if-none-match": `W/"3"` }, 3, "known"],
    [{ "if-none-match": "*" }, 3, "known"],
    [{ "if-none-match": `"2"` }, 3, "send"],
    [{ "if-none-match": "*" }, undefined, "send"],
    [{ "if-match": `"3"` }, 3, "send"],
    [{ "if-match": `"2"` }, 3, "conflict"],
    [{ "if-match": "*" }, undefined, "conflict"],
    [{ "if-match": `"3"`, "if-none-match": `"3"` }, 3, "known"],
    [{ "if-match": `"2"`, "if-none-match": `"3"` }, 3, "conflict"]
  ]
  for (const [headers, version, expected] of cases) {
    it(`${JSON.stringify(headers)} of version ${version} is ${expected}`, () => {
      const judge = Result.getOrThrow(readConditions(headers))
      assert.strictEqual(judge(version === undefined ? undefined : { version }), expected)
    })
  }
})
