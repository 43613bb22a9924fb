/**
 * Processes that run modules with a fault in them, one at a time each. A process loads what all modules share, such as
 * Effect, once and not for each fault: that is half of the time of most. One that does not answer in time is killed, and
 * another one takes its place.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import type { BrokenModule } from "./MutantModules.ts"

/** What a process of this pool runs. */
export interface MutantQuestion {
  /** The directory of the compiled modules. */
  readonly directory: string
  /** A module that prints its result, named from the root. It is over once it is evaluated, and what it exports as `done`. */
  readonly module: string
  /** The module with the fault. */
  readonly broken: BrokenModule
  /** What it finds in `process.argv`, from the third on. */
  readonly args: ReadonlyArray<string>
}

/** What the module has printed, or with what it has failed. */
export type MutantAnswer = { readonly stdout: string } | { readonly failure: string }

/** A mutant that never ends is no verdict. */
const runTimeoutMs = 120_000

const script = fileURLToPath(new URL("mutantProcess.ts", import.meta.url))

/** Processes that wait for a question. They end with the channel to this one. */
const idle: Array<ChildProcess> = []

const start = (): ChildProcess => {
  const child = fork(script, { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  child.unref()
  child.channel?.unref()
  return child
}

/** Runs a bundled module in a process of the pool. */
export const ask = (question: MutantQuestion): Effect.Effect<MutantAnswer> =>
  Effect.callback((resume) => {
    const child = idle.pop() ?? start()
    child.channel?.ref()
    const finish = (answer: MutantAnswer, isAlive: boolean): void => {
      clearTimeout(timer)
      child.off("message", onMessage).off("error", onError).off("exit", onExit)
      child.channel?.unref()
      if (isAlive) idle.push(child)
      else child.kill("SIGKILL")
      resume(Effect.succeed(answer))
    }
    const onMessage = (answer: unknown) => finish(answer as MutantAnswer, true)
    const onError = (error: Error) => finish({ failure: String(error) }, false)
    const onExit = (code: number | null, signal: string | null) =>
      finish({ failure: `its process ended with ${code ?? signal}` }, false)
    const timer = setTimeout(() => finish({ failure: `it did not end within ${runTimeoutMs} ms` }, false), runTimeoutMs)
    child.on("message", onMessage).on("error", onError).on("exit", onExit)
    child.send(question)
    return Effect.sync(() => finish({ failure: "it was interrupted" }, false))
  })
