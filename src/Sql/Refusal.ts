/**
 * Tells a database that does not answer now from an event that it refuses. Pure. It knows Effect's SQL errors by their
 * tags, and loads none of their modules.
 */
import type { Cause } from "effect"
import type { SqlError } from "effect/sql/SqlError"

/** Another leader, or another release, has written the projection's note meanwhile. */
export class Overtaken {
  readonly _tag = "Overtaken"
}

const isSqlError = (met: unknown): met is SqlError =>
  typeof met === "object" && met !== null && "_tag" in met && met._tag === "SqlError" && "reason" in met

/** Failures and defects. A rollback on a broken connection is a defect. */
const metIn = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> =>
  cause.reasons.flatMap((reason) =>
    reason._tag === "Fail" ? [reason.error] : reason._tag === "Die" ? [reason.defect] : []
  )

/** Classes of PostgreSQL's codes: lost connections, insufficient resources, shutdowns, system errors, read-only servers. */
const awayCodes = /^(?:08|53|57P|58|25006)/

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : ""

/** A time limit of the database ends the same statement each time. So it counts for the event, which an operator can skip. */
const isAwayReason = ({ reason }: SqlError): boolean =>
  reason._tag !== "StatementTimeoutError" &&
  (reason.isRetryable ||
    reason._tag === "AuthenticationError" ||
    reason._tag === "AuthorizationError" ||
    awayCodes.test(codeOf(reason.cause)))

/** Whether the database does not answer now, so that the event is to be tried again and nothing is wrong with it. */
export const isAway = (cause: Cause.Cause<unknown>): boolean =>
  metIn(cause).some((met) => isSqlError(met) && isAwayReason(met))

/** Whether another leader was faster. */
export const isOvertaken = (cause: Cause.Cause<unknown>): boolean =>
  metIn(cause).some((met) => met instanceof Overtaken)
