/**
 * The audit log of a node: what operators did, and who was denied what. Each is one line of the node's log, whose
 * annotations say who, what, from where, and how it ended. It never holds a credential, a query or a record. Lines of
 * denials are bounded, since anybody can cause them; all of them are counted. docs/access.md, "Audit log".
 */
import { Clock, Effect } from "effect"
import type { Denial, Problem } from "../Problem.ts"
import type { Visit } from "./Visit.ts"

/** What else an act was: the id of a new key, the voters. No credential. */
export type Details = Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>

/** A denial, and how often it happened. */
export interface CountedDenial extends Denial {
  readonly count: number
}

/** Writes the audit log of a node, and counts denials. */
export interface Audit {
  /** Logs what an operator did, or tried to. */
  readonly acted: (
    visit: Visit | undefined,
    by: { readonly who: string; readonly outcome: number | Problem; readonly details: Details }
  ) => Effect.Effect<void>
  /** Counts a denial, and logs it unless there were too many. */
  readonly denied: (visit: Visit | undefined, denial: Denial, met: Problem) => Effect.Effect<void>
  /** All denials since the node started. */
  readonly denials: () => Iterable<CountedDenial>
}

/** So many denials are logged in so many milliseconds; then a line says how many more there were. */
export const denialsMaxCount = 20
export const denialsWindowMs = 10_000

/** What a line quotes of an id at most. */
const shownMax = 200

/** A text that came from outside, on one line. */
const quoted = (text: string): string =>
  text
    .slice(0, shownMax)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`)

const quotedAll = (details: Details): Details =>
  Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name,
      typeof value === "string" ? quoted(value) : Array.isArray(value) ? value.map(quoted) : value
    ])
  )

const lineOf = (visit: Visit | undefined, who: string) => ({
  who: quoted(who),
  what: `${visit?.method ?? "?"} ${visit?.route ?? "?"}`,
  from: visit?.address?.text ?? "unknown"
})

/** Makes the audit log of a node. */
export const make = (): Audit => {
  const counts = new Map<string, { readonly denial: Denial; count: number }>()
  let windowMs = Number.NEGATIVE_INFINITY
  let loggedCount = 0
  let untoldCount = 0

  const count = (denial: Denial): void => {
    const key = JSON.stringify([denial.of, denial.action])
    const known = counts.get(key)
    if (known === undefined) counts.set(key, { denial, count: 1 })
    else known.count += 1
  }

  return {
    acted: (visit, { details, outcome, who }) =>
      Effect.logInfo("An operator acted").pipe(
        Effect.annotateLogs({
          audit: "act",
          ...lineOf(visit, who),
          ...quotedAll(details),
          ...(typeof outcome === "number" ? { status: outcome } : { status: outcome.status, problem: outcome.kind })
        })
      ),
    denied: Effect.fnUntraced(function* (visit, denial, met) {
      count(denial)
      const nowMs = yield* Clock.currentTimeMillis
      if (Math.abs(nowMs - windowMs) >= denialsWindowMs) {
        if (untoldCount > 0) yield* Effect.logWarning(`${untoldCount} more requests were denied`)
        windowMs = nowMs
        loggedCount = 0
        untoldCount = 0
      }
      if (loggedCount === denialsMaxCount) {
        untoldCount += 1
        return
      }
      loggedCount += 1
      yield* Effect.logWarning("A request was denied").pipe(
        Effect.annotateLogs({
          audit: "denied",
          ...lineOf(visit, visit?.principal ?? "anonymous"),
          status: met.status,
          problem: met.kind,
          ...labelsOf(denial)
        })
      )
    }),
    denials: () => Array.from(counts.values(), ({ count, denial }) => ({ ...denial, count }))
  }
}

/** The labels of a denial, in the log and in metrics. */
export const labelsOf = ({ action, of }: Denial) => ({ model: of, action })
