/** A flag of text that may be left out, and its `LITHAIR_*` variable. */
import { Config } from "effect"
import { Flag } from "effect/cli"

/** Makes the flag. */
export const textFlag = (name: string, variable: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withDescription(description),
    Flag.withFallbackConfig(Config.String(variable)),
    Flag.optional
  )
