import { assert, it } from "@effect/vitest"
import { addPosition } from "../../src/Http/ResponseHeaders.ts"

it("an answer says who gave it, who leads, the term and the index it reflects", () => {
  const position = { nodeId: "127.0.0.1:8081", leaderId: "127.0.0.1:8082", term: 3, index: 41 }
  assert.deepStrictEqual(addPosition({ etag: `"1"` }, position), {
    etag: `"1"`,
    "lithair-node": "127.0.0.1:8081",
    "lithair-leader": "127.0.0.1:8082",
    "lithair-term": "3",
    "lithair-index": "41"
  })
})

it("an answer that reflects an index of its own keeps it", () => {
  const headers = addPosition({ "lithair-index": "7" }, { nodeId: "n1", leaderId: "n1", term: 1, index: 9 })
  assert.strictEqual(headers["lithair-index"], "7")
})

it("an answer names no leader while none is known", () => {
  const headers = addPosition({}, { nodeId: "n1", leaderId: undefined, term: 0, index: 0 })
  assert.deepStrictEqual(Object.keys(headers), ["lithair-node", "lithair-term", "lithair-index"])
})
