import { assert, it } from "@effect/vitest"
import { HttpServerResponse } from "effect/http"
import { positionHeaders } from "../../src/Http/ResponseHeaders.ts"
import { notFound, toResponse } from "../../src/Problem.ts"

it("an answer says who gave it, who leads, the term and the index it reflects", () => {
  const position = { nodeId: "127.0.0.1:8081", leaderId: "127.0.0.1:8082", term: 3, index: "41" }
  const headers = HttpServerResponse.toWeb(
    HttpServerResponse.setHeaders(toResponse(notFound("No such record")), positionHeaders(position))
  ).headers
  assert.strictEqual(headers.get("Lithair-Node"), "127.0.0.1:8081")
  assert.strictEqual(headers.get("Lithair-Leader"), "127.0.0.1:8082")
  assert.strictEqual(headers.get("Lithair-Term"), "3")
  assert.strictEqual(headers.get("Lithair-Index"), "41")
  assert.strictEqual(headers.get("Content-Type"), "application/problem+json")
})

it("an answer names no leader while none is known", () => {
  const headers = positionHeaders({ nodeId: "n1", leaderId: undefined, term: 0, index: "0" })
  assert.deepStrictEqual(Object.keys(headers), ["lithair-node", "lithair-term", "lithair-index"])
})
