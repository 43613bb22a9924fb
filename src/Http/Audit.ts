/**
 * The audit log of a node: what operators did, and who was denied what. Each is one line of the node's log, with JSON that
 * says who, what, from where, and how it ended. It never holds a credential, a query or a record. Lines of
 * denials are bounded, since anybody can cause them; all of them are counted. docs/access.md, "Audit log".
 *
 * OwnDenials.ts finds those of the application's own routes.
 */
import { Clock, Effect, type Scope } from "effect"
import type { Denial, Problem } from "../Problem.ts"
import { logLine } from "./LogLine.ts"
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
  readonly denied: (visit: Visit | undefined, denial: Denial, outcome: number | Problem) => Effect.Effect<void>
  /** All denials since the node started. */
  readonly denials: () => Iterable<CountedDenial>
}

/** So many denials are logged in so many milliseconds; at their end a line says how many more there were. */
export const denialsMaxCount = 20
export const denialsWindowMs = 10_000

/** What a line quotes of a text at most. */
const shownMax = 200

/** What a line names of a list at most: more than a cluster has members. */
const namedMaxCount = 64

const cut = (_: string, value: unknown): unknown => {
  if (typeof value === "string") return value.slice(0, shownMax)
  if (!Array.isArray(value) || value.length <= namedMaxCount) return value
  return [...value.slice(0, namedMaxCount), `and ${value.length - namedMaxCount} more`]
}

const lineOf = (audit: "act" | "denied", visit: Visit | undefined, who: string, more: Details): string => {
  const what = `${visit?.method ?? "?"} ${visit?.route ?? "?"}`
  const line = { audit, who, what, from: visit?.address?.text ?? "unknown", ...more }
  return `Audit: ${logLine(line, cut)}`
}

const outcomeOf = (outcome: number | Problem): Details =>
  typeof outcome === "number" ? { status: outcome } : { status: outcome.status, problem: outcome.kind }

/** Makes the audit log of a node. When the scope closes it says how many denials are not logged yet. */
export const make: Effect.Effect<Audit, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
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

  /** Says how many more denials there were, if there were some. */
  const tellUntold = Effect.suspend(() => {
    const count = untoldCount
    untoldCount = 0
    return count === 0 ? Effect.void : Effect.logWarning(`Audit: ${logLine({ audit: "denied", more: count })}`)
  })
  yield* Effect.addFinalizer(() => tellUntold)

  return {
    acted: (visit, { details, outcome, who }) =>
      Effect.logInfo(lineOf("act", visit, who, { ...details, ...outcomeOf(outcome) })),
    denied: Effect.fnUntraced(function* (visit, denial, outcome) {
      count(denial)
      const nowMs = yield* Clock.currentTimeMillis
      if (Math.abs(nowMs - windowMs) >= denialsWindowMs) {
        yield* tellUntold
        windowMs = nowMs
        loggedCount = 0
      }
      if (loggedCount === denialsMaxCount) {
        untoldCount += 1
        if (untoldCount > 1) return
        const leftMs = Math.max(0, windowMs + denialsWindowMs - nowMs)
        yield* Effect.forkIn(Effect.andThen(Effect.sleep(leftMs), tellUntold), scope)
        return
      }
      loggedCount += 1
      const who = visit?.principal ?? "anonymous"
      yield* Effect.logWarning(lineOf("denied", visit, who, { ...labelsOf(denial), ...outcomeOf(outcome) }))
    }),
    denials: () => Array.from(counts.values(), ({ count, denial }) => ({ ...denial, count }))
  }
})

/** The labels of a denial, in the log and in metrics. */
export const labelsOf = ({ action, of }: Denial) => ({ model: of, action })
