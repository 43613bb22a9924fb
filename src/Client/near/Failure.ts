/** Turns the failures of a node's services into those that every repository has. Pure. */
import type { Schema } from "effect"
import type { Any as Command } from "../../Command/Declaration.ts"
import type { Rejection } from "../../Machine/Rejection.ts"
import { copyOf } from "../../Model/PlainJson.ts"
import type { Problem } from "../../Problem.ts"
import { UnknownOutcome } from "../../Raft/node/Outcome.ts"
import { type ChangeFailure, Refused } from "../../Repository/Changed.ts"

/** Facts about a change that its failure does not have. */
export interface Sent {
  /** The idempotency key that the program gave. */
  readonly key?: string | undefined
  readonly command?: Command
}

/** A copy of a refusal that the program may change: by the request's key, the machine may remember the original. */
export const ownRefusal = ({ rejection }: Refused): Refused =>
  new Refused({ rejection: copyOf(rejection as unknown as Schema.Json) as unknown as Rejection })

/** The failure of a change. A key that has expired leaves open whether an older copy was done. */
export const failureOf = (failure: ChangeFailure, { command, key }: Sent = {}): Problem | UnknownOutcome => {
  switch (failure._tag) {
    case "Refused": {
      const met = ownRefusal(failure).toProblem(key, command === undefined ? {} : { commands: [command] })
      return failure.rejection._tag === "KeyExpired" ? unknown(met.detail, key) : met
    }
    case "NotDone":
      return failure.toProblem()
    case "UnknownOutcome":
      return unknown(failure.message, failure.key ?? key)
  }
}

const unknown = (message: string, key: string | undefined): UnknownOutcome =>
  new UnknownOutcome(key === undefined ? { message } : { key, message })
