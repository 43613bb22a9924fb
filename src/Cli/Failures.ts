/** Turns the failures of reading and writing data into those of a command. */
import { Effect } from "effect"
import { type CommandFailed, refused } from "./Exit.ts"

/** Fails the command with the message of the failure. */
export const refusing = <A, E extends { readonly message: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, CommandFailed, R> => Effect.mapError(effect, ({ message }) => refused(message))
