/** `npx lithair`: the command line, on Node, Bun and Deno. Needs `@effect/platform-node`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Runtime } from "effect"
import { CliOutput, Command } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import { exitCodeOf, lithair, presenter, report } from "./Cli/Lithair.ts"
import { version } from "./Http/Version.ts"

/** `128 + SIGINT`, as shells count. */
const interruptedCode = 130

const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  if (Cause.hasInterruptsOnly(exit.cause)) return onExit(interruptedCode)
  onExit(exitCodeOf(Cause.squash(exit.cause), Runtime.getErrorExitCode))
}

lithair.pipe(
  Command.run({ version }),
  Effect.provideService(CliOutput.Presenter, presenter),
  Effect.provide(Layer.merge(NodeServices.layer, FetchHttpClient.layer)),
  Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : report(Cause.squash(cause)))),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
