/**
 * A closed loop over HTTP: each client sends its next request when the last one is answered, over kept connections. So
 * it measures latency and rate with exactly `clients` requests under way. It does not show how an open loop would queue.
 */
import { Agent, request } from "node:http"
import { percentile } from "./Statistics.ts"

export interface LoadSpec {
  /** Whole URLs. Client number i takes the i-th, then goes on by `clients`: so one URL each, or all in turn. */
  readonly urls: ReadonlyArray<string>
  readonly method: "GET" | "POST"
  /** Taken as the URLs are. */
  readonly bodies?: ReadonlyArray<string>
  /** Whether each request bears an Idempotency-Key of its own. */
  readonly isKeyed?: boolean
  readonly expectedStatus: number
  readonly clients: number
  /** Answers in this time are not counted. */
  readonly warmUpMs: number
  readonly measureMs: number
  /** The measured part ends after so many answers too. */
  readonly answersMax: number
}

export interface LoadResult {
  readonly answersCount: number
  /** Answers of another status, and requests without any; none of them is in the figures. */
  readonly failedCount: number
  /** The status of the first failure, 0 for no answer; undefined where nothing failed. */
  readonly failedStatus: number | undefined
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Loads of this process: a key is one of its load, so that no cluster sees it twice. */
let loadsCount = 0

/** A client that meets an error waits before it tries again, so that a dead node does not make a busy loop. */
const afterFailureMs = 10

export const runLoad = async (spec: LoadSpec): Promise<LoadResult> => {
  const agent = new Agent({ keepAlive: true, maxSockets: spec.clients })
  const targets = spec.urls.map((url) => new URL(url))
  const bodies = spec.bodies?.map((body) => Buffer.from(body)) ?? []
  const keyPrefix = `bench-${process.pid}-${++loadsCount}`
  const latenciesMs: Array<number> = []
  let failedCount = 0
  let failedStatus: number | undefined
  const measuredFromMs = performance.now() + spec.warmUpMs
  const endMs = measuredFromMs + spec.measureMs
  let stoppedMs = endMs

  const client = async (number: number): Promise<void> => {
    for (let turn = number; ; turn += spec.clients) {
      const sentMs = performance.now()
      if (sentMs >= stoppedMs) return
      const target = targets[turn % targets.length]
      if (target === undefined) throw new Error("A load needs at least one URL")
      const key = spec.isKeyed === true ? `${keyPrefix}-${turn}` : undefined
      const status = await send(agent, target, { method: spec.method, body: bodies[turn % bodies.length], key })
      const answeredMs = performance.now()
      const isExpected = status === spec.expectedStatus
      if (answeredMs >= measuredFromMs && answeredMs < stoppedMs) {
        if (isExpected) latenciesMs.push(answeredMs - sentMs)
        else failedCount += 1
        if (latenciesMs.length >= spec.answersMax) stoppedMs = answeredMs
      }
      if (isExpected) continue
      failedStatus ??= status
      await new Promise((resume) => setTimeout(resume, afterFailureMs))
    }
  }

  await Promise.all(Array.from({ length: spec.clients }, (_, number) => client(number)))
  agent.destroy()
  const ascending = Float64Array.from(latenciesMs).sort()
  return {
    answersCount: ascending.length,
    failedCount,
    failedStatus,
    perSecond: (ascending.length * 1000) / (stoppedMs - measuredFromMs),
    p50Ms: percentile(ascending, 0.5),
    p99Ms: percentile(ascending, 0.99),
    maxMs: percentile(ascending, 1)
  }
}

/** The status of the answer, once all of its body is there; 0 if there was none. */
const send = (
  agent: Agent,
  target: URL,
  asked: { readonly method: string; readonly body: Buffer | undefined; readonly key: string | undefined }
): Promise<number> =>
  new Promise((resolve) => {
    const { body, key, method } = asked
    const headers = {
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": body.length }),
      ...(key === undefined ? {} : { "idempotency-key": key })
    }
    const { hostname, pathname, port, search } = target
    const sent = request({ agent, hostname, port, method, path: pathname + search, headers })
    sent.on("response", (response) => {
      response.on("end", () => resolve(response.statusCode ?? 0))
      response.on("error", () => resolve(0))
      response.resume()
    })
    sent.on("error", () => resolve(0))
    sent.end(body)
  })
