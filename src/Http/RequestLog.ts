/**
 * The log of requests: one line of JSON for each, off unless asked for. It holds what the node itself knows, and neither
 * path, query, headers, body, key nor credential. No text of a client can begin another line, or steer a terminal.
 */
import { type Clock, Effect, Latch, type Scope } from "effect"
import { logLine } from "./LogLine.ts"
import type { Visit } from "./Visit.ts"

/** One request and its answer. */
export interface LoggedRequest {
  /** When the answer went, RFC 3339. */
  readonly at: string
  readonly method: string
  /** The template of the route, as in `/api/notes/:id`; null if no route answered. */
  readonly route: string | null
  /** 0 if the client went away before the answer. */
  readonly status: number
  /** The type of the problem without `urn:lithair:problem:`; null if the answer is none. */
  readonly problem: string | null
  /** From the head of the request to the answer, or to the beginning of a stream. */
  readonly ms: number
  /** The id of the principal; null if nobody has signed in. */
  readonly principal: string | null
  /** The client's address; null if the server does not say it. */
  readonly address: string | null
  /** The id of the trace that the request belongs to, by its `traceparent`. */
  readonly trace: string | null
}

/** Takes one request; lines of JSON on the standard output if it is just `true`. */
export type RequestLogOption = boolean | ((request: LoggedRequest) => void)

/** Logs a request when its answer goes. `nowMs` is monotonic. */
export type RequestLog = (visit: Visit, status: number, nowMs: number) => void

/** While the output takes no more, so many characters of lines wait. The log drops lines past that, and counts them. */
export const waitingMaxChars = 1024 * 1024
/** Lines wait so long for others that are written with them. */
const writeEveryMs = 50

/** W3C Trace Context §3.2: version, trace id, parent id and flags. All zeros are no id. */
const traceparent = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/

/** Methods that HTTP knows (RFC 9110 §9, RFC 5789). Some runtimes take any token. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])

/** What is logged of a request. */
export const requestOf = (visit: Visit, status: number, ms: number, nowMs: number): LoggedRequest => ({
  at: new Date(nowMs).toISOString(),
  method: methods.has(visit.method) ? visit.method : "other",
  route: visit.route ?? null,
  status,
  problem: visit.problem ?? null,
  ms: Math.round(ms * 100) / 100,
  principal: visit.principal ?? null,
  address: visit.address?.text ?? null,
  trace: traceparent.exec(visit.headers.traceparent ?? "")?.[1] ?? null
})

/** Where lines go. `written` is called once they have gone. */
export type Write = (lines: string, written: () => void) => void

const toStandardOutput: Write = (lines, written) => void process.stdout.write(lines, () => written())

/** Makes lines of requests and writes them, several at once. What has come is written when the scope closes. */
export const makeLines = (
  write: Write = toStandardOutput
): Effect.Effect<(request: LoggedRequest) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const isWaited = yield* Latch.make(false)
    let waiting = ""
    let droppedCount = 0
    let isWriting = false
    const flush = (): void => {
      if (waiting === "") return
      const lines = droppedCount === 0 ? waiting : `${waiting}{"dropped":${droppedCount}}\n`
      waiting = ""
      droppedCount = 0
      isWriting = true
      write(lines, () => {
        isWriting = false
        if (waiting !== "") isWaited.openUnsafe()
      })
    }
    const next = Effect.andThen(
      Effect.andThen(isWaited.await, Effect.sleep(writeEveryMs)),
      Effect.sync(() => {
        isWaited.closeUnsafe()
        if (!isWriting) flush()
      })
    )
    yield* Effect.forkScoped(Effect.forever(next))
    yield* Effect.addFinalizer(() => Effect.sync(flush))
    return (request) => {
      const line = logLine(request)
      if (waiting.length + line.length >= waitingMaxChars) {
        droppedCount += 1
        return
      }
      waiting += `${line}\n`
      isWaited.openUnsafe()
    }
  })

/** Makes the log; undefined if nobody asked for one. A function of the application that throws breaks no request. */
export const make = Effect.fnUntraced(function* (
  option: RequestLogOption,
  clock: Clock.Clock
): Effect.fn.Return<RequestLog | undefined, never, Scope.Scope> {
  if (option === false) return undefined
  const context = yield* Effect.context<never>()
  const take = option === true ? yield* makeLines() : option
  return (visit, status, nowMs) => {
    try {
      take(requestOf(visit, status, nowMs - visit.beganMs, clock.currentTimeMillisUnsafe()))
    } catch (defect) {
      Effect.runForkWith(context)(Effect.logError("The function that takes logged requests failed", defect))
    }
  }
})
