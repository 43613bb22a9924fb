import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerRespondable, HttpServerResponse } from "effect/http"
import {
  atOperation,
  declaredProblem,
  invalidRequest,
  methodNotAllowed,
  type Problem,
  problem,
  problemDefinitions,
  toJson,
  toResponse
} from "../../src/Problem.ts"

const statuses = {
  "invalid-request": 400,
  "not-found": 404,
  "method-not-allowed": 405,
  unauthenticated: 401,
  forbidden: 403,
  "open-mode": 403,
  "request-timeout": 408,
  "unique-violation": 409,
  "already-exists": 409,
  "rule-broken": 409,
  "reference-missing": 409,
  referenced: 409,
  "command-only": 409,
  "append-only": 409,
  "membership-refused": 409,
  "reaction-refused": 409,
  "projection-refused": 409,
  "changes-gone": 410,
  "history-gone": 410,
  "record-erased": 410,
  "operation-erased": 410,
  "version-conflict": 412,
  "too-large": 413,
  "unsupported-media-type": 415,
  "operation-closed": 409,
  "operation-expired": 409,
  "expectation-failed": 417,
  "key-reused": 422,
  "key-quota": 429,
  "too-many-requests": 429,
  "head-too-large": 431,
  internal: 500,
  "auth-unavailable": 503,
  "no-quorum": 503,
  overloaded: 503,
  draining: 503,
  starting: 503,
  removed: 503,
  "not-caught-up": 503,
  "too-stale": 503,
  "projection-failed": 503,
  "record-unreadable": 503,
  "precondition-required": 428,
  "upgrade-pending": 503,
  "projection-unavailable": 503,
  "upgrade-required": 503,
  "unknown-outcome": 504,
  "storage-full": 507
}

describe("Problem", () => {
  it("has the status that the contract gives to each name", () => {
    const actual = Object.fromEntries(Object.entries(problemDefinitions).map(([name, { status }]) => [name, status]))
    assert.deepStrictEqual(actual, statuses)
  })

  const bodies: ReadonlyArray<readonly [Problem, object]> = [
    [
      problem("version-conflict", "Product is at version 3, not 2", { currentVersion: 3 }),
      { type: "urn:lithair:problem:version-conflict", status: 412, title: "Version conflict", currentVersion: 3 }
    ],
    [
      problem("unknown-outcome", "The leader was lost", {
        definite: false,
        key: "k1"
      }),
      { status: 504, definite: false, key: "k1" }
    ],
    [problem("no-quorum", "No majority", { definite: true }), { status: 503, definite: true }],
    [
      invalidRequest("The record is invalid", [{ path: "price", message: "is negative" }]),
      { status: 400, errors: [{ path: "price", message: "is negative" }] }
    ],
    [
      declaredProblem({ kind: "insufficient-funds", status: 409, title: "Insufficient funds", detail: "3 < 5" }),
      { type: "urn:lithair:problem:insufficient-funds", status: 409, detail: "3 < 5" }
    ],
    [atOperation(problem("not-found", "No such record", {}), 2), { status: 404, opIndex: 2 }]
  ]
  for (const [met, expected] of bodies) {
    it(`writes ${met.kind} with its members (RFC 9457 §3)`, () =>
      assert.deepStrictEqual({ ...toJson(met), ...expected }, toJson(met)))
  }

  it("does not let a member of a command replace a standard one", () => {
    const forged = declaredProblem({ kind: "x", status: 409, title: "X", detail: "d", members: { status: 200 } })
    assert.strictEqual(toJson(forged).status, 409)
  })

  it("answers application/problem+json with the headers of its kind", async () => {
    const refused = HttpServerResponse.toWeb(toResponse(problem("overloaded", "Queue full", { definite: true })))
    assert.strictEqual(refused.status, 503)
    assert.strictEqual(refused.headers.get("content-type"), "application/problem+json")
    assert.strictEqual(refused.headers.get("retry-after"), "1")
    const verb = HttpServerResponse.toWeb(toResponse(methodNotAllowed("PUT", ["GET", "POST"])))
    assert.strictEqual(verb.headers.get("allow"), "GET, POST")
    assert.strictEqual(verb.status, 405)
  })

  it.effect("answers itself when a handler fails with it, without cause or stack", () =>
    Effect.gen(function* () {
      const met = yield* Effect.flip(Effect.fail(problem("internal", "Something broke", {})))
      const web = HttpServerResponse.toWeb(yield* HttpServerRespondable.toResponse(met))
      const body = yield* Effect.promise(() => web.json())
      assert.deepStrictEqual(Object.keys(body).sort(), ["detail", "status", "title", "type"])
    })
  )
})
