/** Which failures of a database are its own, and which count for the event. */
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import {
  ConnectionError,
  LockTimeoutError,
  SqlError,
  type SqlErrorReason,
  StatementTimeoutError,
  UniqueViolation,
  UnknownError
} from "effect/sql/SqlError"
import { isAway } from "../../src/Sql/Refusal.ts"

const cause = new Error("refused")
const failed = (reason: SqlErrorReason) => Cause.fail(new SqlError({ reason }))
const coded = (code: string) => failed(new UnknownError({ cause: { code } }))

describe("a failure of a database", () => {
  it("means that it is away if it may go by itself", () => {
    assert.isTrue(isAway(failed(new ConnectionError({ cause }))))
    assert.isTrue(isAway(failed(new LockTimeoutError({ cause }))))
    // The shutdown of PostgreSQL, and a server that takes no writes.
    for (const code of ["57P01", "57P03", "25006"]) assert.isTrue(isAway(coded(code)), code)
  })

  it("counts for the event if the same statement meets it each time, a time limit too", () => {
    assert.isFalse(isAway(failed(new StatementTimeoutError({ cause }))))
    assert.isFalse(isAway(failed(new UniqueViolation({ cause, constraint: "orders" }))))
    assert.isFalse(isAway(coded("57014")))
  })
})
