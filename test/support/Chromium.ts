/**
 * A real browser without a window, driven by the DevTools protocol over one WebSocket: tabs, and what a page evaluates.
 * It is the machine's own Chromium; vitest.config.ts leaves its tests out where there is none.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

/** How long the browser may take to start, and to answer. */
const startTimeoutMs = 60_000
const answerTimeoutMs = 30_000

/** A tab of the browser. */
export interface Tab {
  /** Evaluates an expression in the page, and waits for its promise. The value must be JSON. */
  readonly evaluate: <A>(expression: string) => Effect.Effect<A, Error>
}

/** A running browser. */
export interface Browser {
  /** Opens a page in a new tab. */
  readonly open: (url: string) => Effect.Effect<Tab, Error>
}

interface Message {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** Starts Chromium, and ends it with the scope. */
export const startChromium: Effect.Effect<Browser, Error, Scope.Scope> = Effect.gen(function* () {
  const profile = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-chromium-"))),
    // A process of the browser may write for a moment after its parent has ended.
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  )
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
  const process = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("chromium", [...flags, `--user-data-dir=${profile}`, "about:blank"], { stdio: "pipe" })),
    (process) =>
      Effect.callback<void>((resume) => {
        if (process.exitCode !== null || process.signalCode !== null) return resume(Effect.void)
        process.once("exit", () => resume(Effect.void))
        process.kill("SIGKILL")
      })
  )
  let said = ""
  const url = yield* Effect.callback<string, Error>((resume) => {
    process.once("error", (error) => resume(Effect.fail(error)))
    process.once("exit", () => resume(Effect.fail(new Error(`Chromium ended: ${said}`))))
    process.stderr.on("data", (part) => {
      said += part
      const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? []
      if (found !== undefined) resume(Effect.succeed(found))
    })
  }).pipe(
    Effect.timeoutOrElse({
      duration: startTimeoutMs,
      orElse: () => Effect.fail(new Error(`Chromium did not start: ${said}`))
    })
  )
  const socket = yield* Effect.acquireRelease(
    Effect.callback<WebSocket, Error>((resume) => {
      const socket = new WebSocket(url)
      socket.onopen = () => resume(Effect.succeed(socket))
      socket.onerror = () => resume(Effect.fail(new Error(`Chromium does not answer at ${url}`)))
    }),
    (socket) => Effect.sync(() => socket.close())
  )

  let asked = 0
  const waiting = new Map<number, (message: Message) => void>()
  socket.onmessage = ({ data }) => {
    const message: Message = JSON.parse(String(data))
    if (message.id !== undefined) waiting.get(message.id)?.(message)
  }
  const ask = <A>(method: string, params: object, sessionId?: string): Effect.Effect<A, Error> =>
    Effect.callback<A, Error>((resume) => {
      const id = ++asked
      waiting.set(id, ({ error, result }) => {
        waiting.delete(id)
        resume(
          error === undefined ? Effect.succeed(result as A) : Effect.fail(new Error(`${method}: ${error.message}`))
        )
      })
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
    }).pipe(
      Effect.timeoutOrElse({
        duration: answerTimeoutMs,
        orElse: () => Effect.fail(new Error(`${method} was not answered within ${answerTimeoutMs} ms`))
      })
    )

  interface Evaluated {
    readonly result: { readonly value?: unknown }
    readonly exceptionDetails?: unknown
  }

  return {
    open: Effect.fnUntraced(function* (page: string) {
      const { targetId } = yield* ask<{ readonly targetId: string }>("Target.createTarget", { url: page })
      const attach = { targetId, flatten: true }
      const { sessionId } = yield* ask<{ readonly sessionId: string }>("Target.attachToTarget", attach)
      const evaluate = <A>(expression: string) =>
        Effect.flatMap(
          ask<Evaluated>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, sessionId),
          ({ exceptionDetails, result }) =>
            exceptionDetails === undefined
              ? Effect.succeed(result.value as A)
              : Effect.fail(new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`))
        )
      return { evaluate }
    })
  }
})
