import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { schemaOfProblem } from "../../src/Http/ProblemSchema.ts"
import { type Problem, problem, type problemDefinitions, toJson } from "../../src/Problem.ts"

const definite = { definite: true } as const
const samples: Readonly<Record<keyof typeof problemDefinitions, Problem>> = {
  "invalid-request": problem("invalid-request", "d", { errors: [{ path: "a.b", message: "m" }] }),
  unauthenticated: problem("unauthenticated", "d", {}),
  forbidden: problem("forbidden", "d", {}),
  "open-mode": problem("open-mode", "d", {}),
  "auth-unavailable": problem("auth-unavailable", "d", definite),
  "not-found": problem("not-found", "d", { opIndex: 1 }),
  "method-not-allowed": problem("method-not-allowed", "d", {}),
  "request-timeout": problem("request-timeout", "d", {}),
  "unique-violation": problem("unique-violation", "d", { errors: [{ path: "email", message: "m" }] }),
  "already-exists": problem("already-exists", "d", {}),
  "rule-broken": problem("rule-broken", "d", {}),
  "reference-missing": problem("reference-missing", "d", { errors: [{ path: "customerId", message: "m" }] }),
  referenced: problem("referenced", "d", { by: { model: "Order", field: "customerId", id: "o" } }),
  "command-only": problem("command-only", "d", {}),
  "operation-closed": problem("operation-closed", "d", { key: "k" }),
  "operation-expired": problem("operation-expired", "d", { key: "k" }),
  "operation-erased": problem("operation-erased", "d", { key: "k" }),
  "record-erased": problem("record-erased", "d", {}),
  "append-only": problem("append-only", "d", {}),
  "reaction-refused": problem("reaction-refused", "no", { definite: true, reason: "elsewhere" }),
  "projection-refused": problem("projection-refused", "no", { definite: true, reason: "elsewhere" }),
  "membership-refused": problem("membership-refused", "no", { definite: true, reason: "changing" }),
  "changes-gone": problem("changes-gone", "d", { oldestIndex: 7, restart: "/api/products/changes?initial=true" }),
  "history-gone": problem("history-gone", "d", {
    oldestVersion: 3,
    oldestIndex: 7,
    oldestAt: "2026-01-01T00:00:00.000Z"
  }),
  "version-conflict": problem("version-conflict", "d", { currentVersion: null }),
  "precondition-required": problem("precondition-required", "d", {}),
  "too-large": problem("too-large", "d", {}),
  "unsupported-media-type": problem("unsupported-media-type", "d", {}),
  "expectation-failed": problem("expectation-failed", "d", {}),
  "head-too-large": problem("head-too-large", "d", {}),
  "key-quota": problem("key-quota", "d", definite),
  "too-many-requests": problem("too-many-requests", "d", { definite: true, limit: "address" }),
  "key-reused": problem("key-reused", "d", { key: "k" }),
  internal: problem("internal", "d", {}),
  "no-quorum": problem("no-quorum", "d", definite),
  overloaded: problem("overloaded", "d", definite),
  draining: problem("draining", "d", definite),
  starting: problem("starting", "d", definite),
  removed: problem("removed", "d", definite),
  "not-caught-up": problem("not-caught-up", "d", {}),
  "too-stale": problem("too-stale", "d", {}),
  "projection-failed": problem("projection-failed", "d", { projection: "p" }),
  "projection-unavailable": problem("projection-unavailable", "d", { projection: "p" }),
  "upgrade-required": problem("upgrade-required", "d", definite),
  "upgrade-pending": problem("upgrade-pending", "d", definite),
  "record-unreadable": problem("record-unreadable", "d", definite),
  "unknown-outcome": problem("unknown-outcome", "d", { definite: false, key: "k" }),
  "storage-full": problem("storage-full", "d", definite)
}

describe("problem schemas", () => {
  for (const met of Object.values(samples)) {
    it(`${met.kind} on the wire is what its schema documents, no member more`, () => {
      const schema = schemaOfProblem(met.kind as keyof typeof problemDefinitions) as Schema.Codec<unknown, unknown>
      const decoded = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" })(toJson(met))
      assert.isTrue(Result.isSuccess(decoded))
    })
  }
})
