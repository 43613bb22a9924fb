/**
 * Begins the chain of digests of a cluster's log (Machine/Evidence.ts), if the application asks for it and the log's format
 * knows it. Once it has begun it goes on for good, whatever a later application says: the log itself says so.
 */
import { Effect } from "effect"
import type { Command } from "../Machine/Command.ts"
import * as Format from "../Machine/Format.ts"
import type { Tables } from "../Machine/Tables.ts"

/** How often a leader looks whether there is a chain. */
const lookEveryMs = 500

/** Follows until it is interrupted. */
export const follow = (options: {
  readonly isWanted: boolean
  readonly tables: () => Tables
  readonly isLeader: () => boolean
  /** Decides a command here, and forgets the outcome. */
  readonly submit: (command: Command) => Effect.Effect<void>
}): Effect.Effect<never> => {
  const { isLeader, isWanted, submit, tables } = options
  const isDue = () => isLeader() && tables().chain === undefined && Format.isFormatActive(tables(), Format.proving)
  const look = Effect.suspend(() => (isDue() ? submit({ _tag: "Prove" }) : Effect.void))
  return isWanted ? Effect.forever(Effect.andThen(look, Effect.sleep(lookEveryMs))) : Effect.never
}
